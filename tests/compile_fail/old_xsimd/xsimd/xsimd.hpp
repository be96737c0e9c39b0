#include "config/xsimd_config.hpp"
