{
  "variables": { "sanitize%": "" },
  "targets": [
    {
      "target_name": "fabric_native",
      "sources": [
        "fabric-native/src/adapter.cc",
        "fabric-native/src/addon.cc",
        "fabric-native/src/bus-guard.cc",
        "fabric-native/src/checksum.cc",
        "fabric-native/src/connector.cc",
        "fabric-native/src/data-port.cc",
        "fabric-native/src/dirty-pages.cc",
        "fabric-native/src/fabric.cc",
        "fabric-native/src/file-errand.cc",
        "fabric-native/src/file.cc",
        "fabric-native/src/heap-blocks.cc",
        "fabric-native/src/heap-check.cc",
        "fabric-native/src/heap-face.cc",
        "fabric-native/src/heap-handle.cc",
        "fabric-native/src/heap-pages.cc",
        "fabric-native/src/heap-restore.cc",
        "fabric-native/src/heap-runs.cc",
        "fabric-native/src/heap.cc",
        "fabric-native/src/kernel-symbols.cc",
        "fabric-native/src/lane-calls.cc",
        "fabric-native/src/lane-driving.cc",
        "fabric-native/src/lane-engine.cc",
        "fabric-native/src/lane-sending.cc",
        "fabric-native/src/lane-server.cc",
        "fabric-native/src/lane.cc",
        "fabric-native/src/lanes-face.cc",
        "fabric-native/src/libfabric.cc",
        "fabric-native/src/mailbox.cc",
        "fabric-native/src/mapped-range.cc",
        "fabric-native/src/mapping.cc",
        "fabric-native/src/memory-handle.cc",
        "fabric-native/src/memory-operations.cc",
        "fabric-native/src/memory-view.cc",
        "fabric-native/src/memory.cc",
        "fabric-native/src/native-error.cc",
        "fabric-native/src/operation-table.cc",
        "fabric-native/src/page-sync.cc",
        "fabric-native/src/page-tracking.cc",
        "fabric-native/src/private-pages.cc",
        "fabric-native/src/provider.cc",
        "fabric-native/src/service-face.cc",
        "fabric-native/src/service-thread.cc",
        "fabric-native/src/service.cc",
        "fabric-native/src/store.cc",
        "fabric-native/src/tracking-face.cc",
        "fabric-native/src/wheel.cc",
        "fabric-native/src/write-protect.cc"
      ],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include\")"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
      "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type", "-fvisibility=hidden"],
      "ldflags": ["-Wl,-z,nodelete", "-Wl,-z,now"],
      "libraries": ["-lpmem2", "-ldl", "-lpthread"],
      "conditions": [
        ["sanitize!=''", {
          "cflags_cc": ["-fsanitize=<(sanitize)", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1"],
          "ldflags": ["-fsanitize=<(sanitize)"]
        }]
      ]
    },
    {
      "target_name": "psm_absent",
      "type": "shared_library",
      "product_prefix": "lib",
      "product_name": "psm_infinipath",
      "product_extension": "so.1",
      "sources": ["fabric-native/src/psm-absent.cc"],
      "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Werror"]
    },
    {
      "target_name": "psm2_absent",
      "type": "shared_library",
      "product_prefix": "lib",
      "product_name": "psm2",
      "product_extension": "so.2",
      "sources": ["fabric-native/src/psm2-absent.cc"],
      "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Werror"],
      "ldflags": ["-Wl,--version-script=<(module_root_dir)/fabric-native/src/psm2-absent.map"]
    }
  ],
  "conditions": [
    ["sanitize!=''", {
      "targets": [
        {
          "target_name": "planted_errors",
          "sources": ["test/fixture/planted-errors.cc"],
          "cflags_cc": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer", "-g"],
          "ldflags": ["-fsanitize=<(sanitize)"]
        }
      ]
    }]
  ]
}
