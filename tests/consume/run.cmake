# Builds and runs the project beside this file against the library, by one of two ways:
#   find_package      the library installed to a temporary prefix
#   add_subdirectory  the library's source folder
# In: WAY, SOURCE, BUILD, WORK, GENERATOR, COMPILER, FLAGS, XSIMD, PREFIX_PATH.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE "${WORK}")
set(options -G "${GENERATOR}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build" -D "CMAKE_CXX_COMPILER=${COMPILER}" -D "CMAKE_CXX_FLAGS=${FLAGS}")
if(WAY STREQUAL "find_package")
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  list(PREPEND PREFIX_PATH "${WORK}/prefix")
else()
  list(APPEND options -D "AXIFORM_SOURCE=${SOURCE}")
endif()
cmake_path(GET XSIMD PARENT_PATH xsimd_root)

execute_process(COMMAND "${CMAKE_COMMAND}" ${options} -D "xsimd_ROOT=${xsimd_root}" -D "CMAKE_PREFIX_PATH=${PREFIX_PATH}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${WORK}/build/consumer" COMMAND_ERROR_IS_FATAL ANY)
