# Gives the target axiform::compiled: axiform::axiform with all that is no template, and the templates that programs use most, compiled once in the
# project that links to it, with that project's options. Link to it instead of axiform::axiform; what a program includes stays the same.
#
# All units of a program must be compiled for one instruction set then: options such as -march belong in CMAKE_CXX_FLAGS or in the preset, not to one
# target (units that disagree do not link).
add_library(axiform_compiled STATIC EXCLUDE_FROM_ALL)
foreach(room text models io inspect tasks search generate kernels algebra core)  # what takes longest first
  target_sources(axiform_compiled PRIVATE "${CMAKE_CURRENT_LIST_DIR}/compiled/${room}.cpp")
endforeach()
target_link_libraries(axiform_compiled PUBLIC axiform::axiform)
target_compile_definitions(axiform_compiled PUBLIC AXIFORM_COMPILED)
add_library(axiform::compiled ALIAS axiform_compiled)
