#include "kernel-symbols.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cctype>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

namespace rpmem {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

void Allow(int ruleset, const std::string& path) {
  landlock_path_beneath_attr rule{};
  rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
  rule.parent_fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0) return;
  syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(rule.parent_fd);
}

// Everything in the directory but one entry, and but the directories of other processes. False if that cannot be told.
bool AllowAllBut(int ruleset, const std::string& folder, const std::string& exception) {
  std::unique_ptr<DIR, CloseDirectory> directory(opendir(folder.c_str()));
  if (!directory) return false;
  while (const dirent* entry = readdir(directory.get())) {
    std::string name(entry->d_name);
    if (name == "." || name == ".." || name == exception || std::isdigit(name[0]) != 0) continue;
    Allow(ruleset, folder + name);
  }
  return true;
}

// The kernel takes commands for an RDMA device only under the credentials with which it was opened (ib_safe_file_access), and
// what a thread gives up makes its credentials others than those of the threads that come after.
bool HasRdmaDevice() {
  std::unique_ptr<DIR, CloseDirectory> directory(opendir("/sys/class/infiniband"));
  if (!directory) return false;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.') return true;
  }
  return false;
}

// Of this thread alone and for good; it asks for nothing but reading files, and loses nothing but that one.
void GiveUpKernelSymbols() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE;
  int ruleset = static_cast<int>(
      syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0));
  if (ruleset < 0) return;
  // Without that last call only a privileged thread may give up anything.
  bool ready = AllowAllBut(ruleset, "/", "proc") && AllowAllBut(ruleset, "/proc/", "kallsyms") &&
               prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  if (ready) syscall(SYS_landlock_restrict_self, ruleset, 0);
  close(ruleset);
}

}  // namespace

void WithoutKernelSymbols(const std::function<void()>& initialise) {
  if (HasRdmaDevice()) return initialise();
  try {
    std::thread([&initialise] {
      GiveUpKernelSymbols();
      initialise();
    }).join();
  } catch (const std::system_error&) {
    initialise();
  }
}

}  // namespace rpmem
