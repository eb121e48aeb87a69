// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// What to do where a host lacks something: said by the step that is refused, and by `aispm-run
// doctor`, in the same words.
namespace aispm::sandbox::remedy {

// The kernel refused new namespaces with errno `error`.
std::string namespaces(int error);
// A profile that grants user namespaces, and how to install it.
std::string app_armor();
// A user namespace was made, but gives no power over itself.
std::string identity();
// /proc cannot be mounted.
std::string proc();
// /proc/sys/user cannot be written.
std::string proc_sys();
// `abi` 0: there is none.
std::string landlock(int abi, int wanted);
std::string seccomp(int error);

}  // namespace aispm::sandbox::remedy
