# SPDX-License-Identifier: Apache-2.0
# Programs and tests of the presets `asan` and `tsan` carry the sanitizer's options and suppressions in themselves: whoever starts one, with whatever
# environment, a report ends it with code 66. What the environment says (ASAN_OPTIONS, TSAN_OPTIONS) comes on top.
set(AISPM_SANITIZED OFF)
set(AISPM_TIMEOUT_FACTOR 1)
set(AISPM_SCRIPT_ENVIRONMENT)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=(address|thread)" AND NOT AISPM_FUZZ)
  set(AISPM_SANITIZED ON)
  set(AISPM_TIMEOUT_FACTOR 6)
  set(sanitizers ${PROJECT_SOURCE_DIR}/tests/support/sanitizers)
  # What a script starts may die where nobody looks at its exit code.
  set(AISPM_SCRIPT_ENVIRONMENT "PYTHONPATH=${sanitizers}" "PYTEST_ADDOPTS=-p sanitizer_reports" "AISPM_SANITIZER_REPORTS=${PROJECT_BINARY_DIR}/reports"
    "AISPM_WAIT_FACTOR=${AISPM_TIMEOUT_FACTOR}")
  file(READ ${sanitizers}/tsan.supp AISPM_TSAN_SUPPRESSIONS)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sanitizers}/tsan.supp)
  configure_file(${sanitizers}/defaults.cpp.in ${PROJECT_BINARY_DIR}/generated/sanitizer_defaults.cpp @ONLY)
  add_library(aispm_sanitizer_defaults OBJECT ${PROJECT_BINARY_DIR}/generated/sanitizer_defaults.cpp)
endif()

# Called for each program and test.
function(aispm_carry_sanitizer_defaults target)
  if(AISPM_SANITIZED)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:aispm_sanitizer_defaults>)
  endif()
endfunction()
