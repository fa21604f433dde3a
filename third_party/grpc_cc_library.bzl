"""C++ libraries from .proto files, by the system's protoc and grpc_cpp_plugin."""

def grpc_cc_library(name, srcs, deps = [], grpc = False, visibility = None):
    """Generates and compiles the C++ code of .proto files.

    Args:
      name: the cc_library's name.
      srcs: .proto files of this package, imported by their path from the workspace's `proto/` folder.
      deps: other grpc_cc_library targets that these files import.
      grpc: whether the files define services.
      visibility: as everywhere.
    """
    stems = [src[:-len(".proto")] for src in srcs]
    endings = [".pb.h", ".pb.cc"] + ([".grpc.pb.h", ".grpc.pb.cc"] if grpc else [])
    outs = [stem + ending for stem in stems for ending in endings]
    up = "/".join([".." for _ in native.package_name().split("/")[1:]])
    root = "$(RULEDIR)/" + up
    native.genrule(
        name = name + "_generated",
        srcs = srcs + [dep + "_protos" for dep in deps],
        outs = outs,
        cmd = ("/usr/bin/protoc -I proto --cpp_out=" + root +
               ((" --grpc_out=" + root + " --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin") if grpc else "") +
               " " + " ".join(["$(location %s)" % src for src in srcs])),
    )
    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [dep + "_protos" for dep in deps],
        visibility = visibility,
    )
    native.cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        copts = ["-w"],
        strip_include_prefix = "/proto",
        visibility = visibility,
        deps = deps + (["//third_party:grpc"] if grpc else ["//third_party:protobuf"]),
    )
