include(FetchContent)
FetchContent_Declare(xsimd GIT_REPOSITORY https://github.com/xtensor-stack/xsimd GIT_TAG 14.3.0 SYSTEM)
FetchContent_Declare(axiform SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/axiform)  # or GIT_REPOSITORY, or URL
FetchContent_MakeAvailable(xsimd axiform)
