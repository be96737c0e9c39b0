# Read before the projects of requirements-native.txt. ik-llama-cpp-python 0.1.5 comes without a script that its build calls: this writes it.
set(common "${CMAKE_SOURCE_DIR}/vendor/ik_llama.cpp/common")
set(script "${common}/cmake/build-info-gen-cpp.cmake")
if(EXISTS "${common}/build-info.cpp.in" AND NOT EXISTS "${script}")
  file(WRITE "${script}" [[
set(common "${CMAKE_CURRENT_LIST_DIR}/..")
set(BUILD_NUMBER 0)
configure_file("${common}/build-info.cpp.in" "${common}/build-info.cpp" @ONLY)
]])
endif()
