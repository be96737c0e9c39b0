// The version as Debian 12's libxsimd-dev has it.
#define XSIMD_VERSION_MAJOR 8
#define XSIMD_VERSION_MINOR 1
#define XSIMD_VERSION_PATCH 0
