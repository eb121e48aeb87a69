# SPDX-License-Identifier: Apache-2.0
# Layered targets. DESIGN: 5 executables > 4 pipelines > 3 stages > 2 engines > 1 model > 0 common, bpf_events, proto.
# A target may depend only on a strictly lower layer; configuring refuses anything else.

set(AISPM_LAYER_NAMES "common" "model" "engines" "stages" "pipelines" "executables")

function(_aispm_check_layers name layer)
  foreach(dependency IN LISTS ARGN)
    if(NOT TARGET ${dependency})
      message(FATAL_ERROR "${name}: depends on ${dependency}, which is not a target (add_subdirectory order?)")
    endif()
    get_target_property(other ${dependency} AISPM_LAYER)
    if(other STREQUAL "other-NOTFOUND")
      message(FATAL_ERROR "${name}: ${dependency} has no layer; name outside libraries under LIBS")
    endif()
    if(NOT other LESS layer)
      list(GET AISPM_LAYER_NAMES ${layer} mine)
      list(GET AISPM_LAYER_NAMES ${other} theirs)
      message(FATAL_ERROR "${name} (layer ${layer}, ${mine}) may not depend on ${dependency} (layer ${other}, ${theirs}): "
                          "a dependency must point to a strictly lower layer")
    endif()
  endforeach()
endfunction()

# aispm_library(NAME LAYER n SOURCES a.cpp b.cpp [DEPS aispm_x ...] [LIBS PkgConfig::y ...] [PRIVATE_LIBS ...])
# DEPS are our own targets, LIBS outside ones that our headers show, PRIVATE_LIBS outside ones they hide.
# A library whose SOURCES are empty is header-only.
function(aispm_library name)
  cmake_parse_arguments(ARG "" "LAYER" "SOURCES;DEPS;LIBS;PRIVATE_LIBS" ${ARGN})
  _aispm_check_layers(${name} ${ARG_LAYER} ${ARG_DEPS})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS} aispm_flags)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPS} ${ARG_LIBS})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  endif()
  set_target_properties(${name} PROPERTIES AISPM_LAYER ${ARG_LAYER})
endfunction()

# aispm_executable(NAME SOURCES main.cpp DEPS aispm_x ... [LIBS ...]): layer 5, lands in build/<preset>/bin.
function(aispm_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  _aispm_check_layers(${name} 5 ${ARG_DEPS})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LIBS} aispm_flags)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  set_target_properties(${name} PROPERTIES AISPM_LAYER 5 RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# aispm_test(NAME LEVEL unit|kernel|sandbox|system|browser|vm SOURCES ... DEPS ... [LIBS ...] [TIMEOUT s])
# A GoogleTest binary registered case by case, labelled with its level.
function(aispm_test name)
  cmake_parse_arguments(ARG "" "LEVEL;TIMEOUT" "SOURCES;DEPS;LIBS" ${ARGN})
  if(NOT AISPM_TESTS)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LIBS} aispm_flags GTest::gmock GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  target_compile_definitions(${name} PRIVATE AISPM_SOURCE_DIR="${PROJECT_SOURCE_DIR}" AISPM_BIN_DIR="${PROJECT_BINARY_DIR}/bin")
  set_target_properties(${name} PROPERTIES AISPM_LAYER 5 RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  # One CTest entry a binary: starting a process per case would cost more than the cases. `./dev test` counts cases from the XML.
  add_test(NAME ${name} COMMAND ${name} --gtest_output=xml:${PROJECT_BINARY_DIR}/results/${name}.xml)
  # Not into the system's cache folder.
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LEVEL} TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "CACHE_DIRECTORY=${PROJECT_BINARY_DIR}/cache")
endfunction()

# aispm_fuzzer(NAME SOURCES fuzz_x.cpp DEPS ... CORPUS folder-under-tests/fuzz/corpus)
# With preset `fuzz` a libFuzzer binary; otherwise a replay of the seed corpus, so that the target is built and run in every test.
function(aispm_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS;LIBS" ${ARGN})
  if(NOT AISPM_TESTS)
    return()
  endif()
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${ARG_CORPUS})
  if(AISPM_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -max_total_time=10 -rss_limit_mb=2048 -close_fd_mask=1
                                          ${PROJECT_BINARY_DIR}/corpus/${name} ${corpus})
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/corpus/${name})
  else()
    add_executable(${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/support/fuzz_main.cpp)
    add_test(NAME ${name} COMMAND ${name} ${corpus})
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} ${ARG_LIBS} aispm_flags)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  set_target_properties(${name} PROPERTIES AISPM_LAYER 5 RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

# aispm_script_test(NAME LEVEL l COMMAND ... [TIMEOUT s]): a test that is a script; it prints "N passed, N failed, N skipped".
function(aispm_script_test name)
  cmake_parse_arguments(ARG "" "LEVEL;TIMEOUT" "COMMAND" ${ARGN})
  if(NOT AISPM_TESTS)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # Programs that a script starts keep what they compile where the test `detect_cache` has put it (tests/support).
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LEVEL} TIMEOUT ${ARG_TIMEOUT} FIXTURES_REQUIRED detect_cache
    ENVIRONMENT "AISPM_BIN_DIR=${PROJECT_BINARY_DIR}/bin;AISPM_BUILD_DIR=${PROJECT_BINARY_DIR};AISPM_SOURCE_DIR=${PROJECT_SOURCE_DIR};CACHE_DIRECTORY=${PROJECT_BINARY_DIR}/cache")
endfunction()
