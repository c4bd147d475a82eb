#include "listening-socket.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdlib>
#include <memory>

namespace rpmem {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

bool ListensOn(int fd, uint16_t port) {
  int listening = 0;
  socklen_t length = sizeof(listening);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 || listening == 0) return false;
  sockaddr_storage address{};
  length = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  if (address.ss_family == AF_INET) return reinterpret_cast<sockaddr_in&>(address).sin_port == htons(port);
  return address.ss_family == AF_INET6 && reinterpret_cast<sockaddr_in6&>(address).sin6_port == htons(port);
}

}  // namespace

void LimitGreeting(uint16_t port, int milliseconds) {
  std::unique_ptr<DIR, CloseDirectory> directory(opendir("/proc/self/fd"));
  if (!directory) return;
  timeval limit{milliseconds / 1000, (milliseconds % 1000) * 1000};
  while (const dirent* entry = readdir(directory.get())) {
    int fd = std::atoi(entry->d_name);
    if (fd > 2 && ListensOn(fd, port)) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
}

}  // namespace rpmem
