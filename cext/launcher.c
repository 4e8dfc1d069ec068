/* SPDX-License-Identifier: Apache-2.0 */
/* launcher: the one executable. Interpreter, C extension, guardian and (appended as a zip) the Python core.
 *
 * `qx APPLET …`, or a link named qx-APPLET. The daemon's guardian is split off before Python exists; every
 * other applet goes straight to Python. Third-party packages are those of the root file system; a folder
 * site-packages beside the executable, where there is one (builds for the host), goes before them.
 */
#define PY_SSIZE_T_CLEAN
#include <limits.h>
#include <malloc.h>
#include <Python.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guardian.h"

PyMODINIT_FUNC PyInit__qx(void);

enum { HEAP_KEPT = 128 << 10 }; /* octets; the C library grows this by itself otherwise */

/* Prepended to the search path: the zip that is this file, by a name that holds when the file is replaced
 * under a running daemon, and the packages beside it. */
static const char start[] =
    "import sys, os\n"
    "beside = os.path.join(os.path.dirname(sys.executable), 'site-packages')\n"
    "base = os.path.dirname(os.__file__)\n"
    "system = (base + '/site-packages', '/usr/lib/python3/dist-packages')\n"
    "packages = [beside] if os.path.isdir(beside) else [p for p in system if os.path.isdir(p)]\n"
    "sys.path[:] = ['/proc/self/exe', *packages, *sys.path]\n"
    "from qx.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))\n";

static const char *find_root(int argc, char **argv) {
    const char *root = "/";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            root = argv[i + 1];
        else if (strncmp(argv[i], "--root=", 7) == 0)
            root = argv[i] + 7;
    }
    return root;
}

static bool is_daemon(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--root") == 0)
            i++;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return false;
        else if (argv[i][0] != '-')
            return strcmp(argv[i], "daemon") == 0;
    }
    return false;
}

static int run_python(int argc, char **argv) {
    char self[PATH_MAX];
    PyConfig config;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        fprintf(stderr, "qx: cannot find my own executable: /proc is not mounted\n");
        return QX_EXIT_FAILED;
    }
    self[length] = 0;
    /* One heap for all threads, given back as it empties: what each thread's own would keep is 0.4 MB of a
     * daemon, and Python's lock lets one thread allocate at a time anyhow. The engine's thread never does. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    /* Names, addresses and arrows are UTF-8 whatever the locale: init and a serial line have none. */
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    PyStatus status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        fprintf(stderr, "qx: cannot start Python: %s\n", status.err_msg ? status.err_msg : "unknown");
        return QX_EXIT_FAILED;
    }
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.parse_argv = 0;
    config.write_bytecode = 0;
    config.code_debug_ranges = 0; /* columns for tracebacks: 0.4 MB of a daemon; its lines stay */
    config.install_signal_handlers = 1;
    status = PyConfig_SetBytesArgv(&config, argc, argv);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.executable, self);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        fprintf(stderr, "qx: cannot start Python: %s\n", status.err_msg ? status.err_msg : "unknown");
        return QX_EXIT_FAILED;
    }
    /* sys.exit ends the process from within; what comes back is an error that Python has printed. */
    return PyRun_SimpleString(start) ? QX_EXIT_FAILED : QX_EXIT_DONE;
}

int main(int argc, char **argv) {
    static char *spelled[64];
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    if (strncmp(name, "qx-", 3) == 0 && argc < 62) {
        spelled[0] = argv[0];
        spelled[1] = (char *)name + 3;
        memcpy(spelled + 2, argv + 1, (size_t)argc * sizeof *argv);
        argv = spelled;
        argc++;
    }
    PyImport_AppendInittab("_qx", PyInit__qx);
    if (is_daemon(argc, argv)) {
        int code = qx_guardian(find_root(argc, argv));
        if (code >= 0)
            return code;
    }
    return run_python(argc, argv);
}
