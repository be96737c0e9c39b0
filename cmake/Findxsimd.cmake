# Finds the headers of xsimd and gives the target xsimd::xsimd.
#
# xsimd's own package file accepts only one major version (13.2 asked for refuses 14.3), and some distributions' copies of it ask for
# xtl besides. The headers need neither, so this module looks for the headers and reads the version from them. A copy that is too old is passed over, and
# named when nothing better is found: set xsimd_ROOT to a folder that has include/xsimd/xsimd.hpp.
#
# Sets xsimd_FOUND, xsimd_VERSION, xsimd_INCLUDE_DIR.

# The version that the headers in `folder` say they are, or an empty string.
function(_xsimd_version result folder)
  set(version "")
  file(GLOB files "${folder}/xsimd/config/*.hpp")
  foreach(file IN LISTS files)
    file(STRINGS "${file}" lines REGEX "^[ \t]*#[ \t]*define[ \t]+XSIMD_VERSION_(MAJOR|MINOR|PATCH)[ \t]+[0-9]+")
    foreach(part MAJOR MINOR PATCH)
      if("${lines}" MATCHES "XSIMD_VERSION_${part}[ \t]+([0-9]+)")
        list(APPEND version "${CMAKE_MATCH_1}")
      endif()
    endforeach()
    if(version)
      break()
    endif()
  endforeach()
  list(JOIN version "." version)
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# find_path's validator: refuses a copy that is older than what was asked for, and remembers it.
function(_xsimd_new_enough result folder)
  _xsimd_version(version "${folder}")
  if(version STREQUAL "" OR (xsimd_FIND_VERSION AND version VERSION_LESS xsimd_FIND_VERSION))
    set_property(GLOBAL APPEND PROPERTY _xsimd_refused "${version} in ${folder}")
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

set_property(GLOBAL PROPERTY _xsimd_refused "")
find_path(xsimd_INCLUDE_DIR NAMES xsimd/xsimd.hpp DOC "The folder that has xsimd/xsimd.hpp" VALIDATOR _xsimd_new_enough)
mark_as_advanced(xsimd_INCLUDE_DIR)

if(xsimd_INCLUDE_DIR)
  _xsimd_version(xsimd_VERSION "${xsimd_INCLUDE_DIR}")
endif()

get_property(_xsimd_refused GLOBAL PROPERTY _xsimd_refused)
list(REMOVE_DUPLICATES _xsimd_refused)
list(JOIN _xsimd_refused ", " _xsimd_refused)
set(_xsimd_reason "xsimd ${xsimd_FIND_VERSION} or newer is needed (headers only): set xsimd_ROOT to a folder that has include/xsimd/xsimd.hpp.")
if(_xsimd_refused)
  string(APPEND _xsimd_reason " Found, but too old: ${_xsimd_refused}.")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(xsimd REQUIRED_VARS xsimd_INCLUDE_DIR VERSION_VAR xsimd_VERSION REASON_FAILURE_MESSAGE "${_xsimd_reason}")

if(xsimd_FOUND AND NOT TARGET xsimd::xsimd)
  add_library(xsimd::xsimd INTERFACE IMPORTED)
  set_target_properties(xsimd::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${xsimd_INCLUDE_DIR}")
endif()
unset(_xsimd_refused)
unset(_xsimd_reason)
