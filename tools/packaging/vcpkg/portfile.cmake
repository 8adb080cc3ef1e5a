# SPDX-License-Identifier: Apache-2.0
# An overlay port inside the tree: vcpkg install cnnfreeze --overlay-ports=tools/packaging/vcpkg
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

set(options -Dtests=disabled -Dexamples=disabled -Donednn=disabled)
foreach(pair "keras:keras_h5" "keras:keras_v3" "gzip:gzip" "images:images" "snappy:snappy")
  string(REPLACE ":" ";" pair "${pair}")
  list(GET pair 0 feature)
  list(GET pair 1 option)
  if("${feature}" IN_LIST FEATURES)
    list(APPEND options "-D${option}=enabled")
  else()
    list(APPEND options "-D${option}=disabled")
  endif()
endforeach()

vcpkg_configure_meson(SOURCE_PATH "${SOURCE_PATH}" OPTIONS ${options})
vcpkg_install_meson()
vcpkg_copy_tools(TOOL_NAMES cnnfreeze AUTO_CLEAN)
vcpkg_fixup_pkgconfig()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/cnnfreeze)
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
