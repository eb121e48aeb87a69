# SPDX-License-Identifier: Apache-2.0
# What a waiting interpreter of the warm pool runs (python3 -c), before anything of an agent is here: imports what most
# agents import, waits until the sandbox is taken, locks itself (sandbox/enter) and becomes `python3 agent.py ARGS...`.
import sys


def _aispm_wait():
    import ctypes, datetime, gc, hashlib, io, json, logging, os, pathlib, random, re, socket  # noqa: E401, F401
    import ssl, struct, subprocess, threading, time, types, typing, urllib.parse  # noqa: E401, F401
    from importlib.machinery import SourceFileLoader

    enter = ctypes.CDLL("/proc/self/fd/4")
    os.close(4)
    gc.collect()
    gc.freeze()  # none of this is garbage of the agent's
    if enter.aispm_enter_ready(3) != 0:
        os._exit(125)
    what = enter.aispm_enter(3)
    with open(what, "rb") as file:
        bytes_ = file.read()
    offset, arguments, variables = struct.unpack_from("=III", bytes_, 4)
    texts = [os.fsdecode(text) for text in bytes_[offset:].split(b"\0")]
    executable, script = texts[1], texts[2]
    argv = texts[3 : 3 + arguments]
    pairs = texts[3 + arguments : 3 + arguments + variables]
    # As the interpreter's own start would leave it: it adds LC_CTYPE where it coerces the locale.
    kept = {name: value for name, value in os.environ.items() if name == "LC_CTYPE"}
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(pair.split("=", 1) for pair in pairs)
    time.tzset()
    random.seed()
    # New ones: the descriptors lead elsewhere now.
    is_unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        is_raw = is_unbuffered and fd != 0
        buffer = open(fd, "wb" if fd else "rb", buffering=0 if is_raw else -1, closefd=False)  # noqa: SIM115
        (buffer if is_raw else buffer.raw).name = f"<{name}>"
        stream = io.TextIOWrapper(buffer, before.encoding, before.errors, "\n", line_buffering=fd == 2 and not is_unbuffered,
                                  write_through=is_unbuffered)
        stream.mode = "w" if fd else "r"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.executable = executable
    sys.orig_argv = list(argv)
    sys.argv = argv[1:]
    sys.path[0] = os.path.dirname(script)
    main = types.ModuleType("__main__")
    main.__file__ = script
    main.__builtins__ = __builtins__
    main.__loader__ = SourceFileLoader("__main__", script)
    main.__cached__ = None
    main.__annotations__ = {}
    sys.modules["__main__"] = main
    try:
        try:
            with open(script, "rb") as file:
                source = file.read()
        except OSError as error:
            sys.stderr.write(f"{executable}: can't open file {script!r}: [Errno {error.errno}] {error.strerror}\n")
            sys.exit(2)
        finally:
            os.close(3)  # from here on it is the agent
        exec(compile(source, script, "exec"), main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        if not isinstance(error, KeyboardInterrupt):
            sys.exit(1)
        import atexit, signal  # noqa: E401

        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


_aispm_wait()
