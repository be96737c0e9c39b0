# Builds and runs the project beside this file against the library, by one of these ways:
#   find_package           the library installed to a temporary prefix
#   find_package_compiled  the same, with axiform::compiled
#   find_package_beside    the same, in a project that has xsimd as a subproject
#   add_subdirectory       the library's source folder
#   fetch_content          the same, and xsimd, through FetchContent; from folders, so without a network
#   tokenizers             its tokenizers alone, through FetchContent, without xsimd
# In: WAY, SOURCE, BUILD, WORK, GENERATOR, COMPILER, FLAGS, XSIMD, PREFIX_PATH, PYTHON. XSIMD_SOURCE may name the real project; with COMPILE_ALL
# find_package_compiled compiles the library again, all of it.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE "${WORK}")
file(READ "${CMAKE_CURRENT_LIST_DIR}/fetch_content.cmake" snippet)
file(READ "${SOURCE}/README.md" readme)
string(FIND "${readme}" "${snippet}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "README.md does not show tests/consume/fetch_content.cmake as it is")
endif()

set(options -G "${GENERATOR}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build" -D "WAY=${WAY}" -D "CMAKE_CXX_COMPILER=${COMPILER}" -D "CMAKE_CXX_FLAGS=${FLAGS}")

if(WAY MATCHES "^find_package")
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  list(PREPEND PREFIX_PATH "${WORK}/prefix")
endif()

if(WAY STREQUAL "find_package_compiled" AND NOT COMPILE_ALL)
  # What is installed is what was built, to the byte: then so are its objects (as_built.py).
  foreach(folder include/axiform cmake/compiled)
    file(GLOB_RECURSE files RELATIVE "${SOURCE}/${folder}" "${SOURCE}/${folder}/*.?pp")
    set(installed "${WORK}/prefix/${folder}")
    if(folder STREQUAL "cmake/compiled")
      set(installed "${WORK}/prefix/share/cmake/axiform/compiled")
    endif()
    foreach(file IN LISTS files)
      file(SHA256 "${SOURCE}/${folder}/${file}" expected)
      file(SHA256 "${installed}/${file}" found)  # which fails where there is none
      if(NOT found STREQUAL expected)
        message(FATAL_ERROR "${installed}/${file} is not what it was installed from")
      endif()
    endforeach()
  endforeach()
  set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${PYTHON};${CMAKE_CURRENT_LIST_DIR}/as_built.py;${SOURCE};${BUILD}")
endif()

if(WAY MATCHES "^(fetch_content|find_package_beside)$")
  # A stand-in for the project: its target as it makes it (before 14.3, without an alias), around the headers that are here. Packages are not looked for.
  if(NOT XSIMD_SOURCE)
    set(XSIMD_SOURCE "${WORK}/xsimd")
    file(WRITE "${XSIMD_SOURCE}/CMakeLists.txt" "project(xsimd)
add_library(xsimd INTERFACE)
target_include_directories(xsimd INTERFACE \"\$<BUILD_INTERFACE:${XSIMD}>\" \"\$<INSTALL_INTERFACE:include>\")
")
  endif()
  list(APPEND options -D "XSIMD_SOURCE=${XSIMD_SOURCE}" -D CMAKE_DISABLE_FIND_PACKAGE_xsimd=ON
       -D "FETCHCONTENT_SOURCE_DIR_XSIMD=${XSIMD_SOURCE}"
       -D "FETCHCONTENT_SOURCE_DIR_AXIFORM=${SOURCE}" -D FETCHCONTENT_FULLY_DISCONNECTED=ON)
else()
  cmake_path(GET XSIMD PARENT_PATH xsimd_root)
  list(APPEND options -D "AXIFORM_SOURCE=${SOURCE}" -D "xsimd_ROOT=${xsimd_root}")
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" ${options} -D "CMAKE_PREFIX_PATH=${PREFIX_PATH}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${WORK}/build/consumer" COMMAND_ERROR_IS_FATAL ANY)
