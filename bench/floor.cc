// The floor under every persist over TCP: a program that does nothing else. It sends a range to a peer on loopback, the peer
// copies it into mapped memory and answers with eight bytes; both ends poll without ever sleeping. What a replicated
// persist takes above this is what rpmem adds.
//
// usage: floor BYTES ROUNDS   prints one line: p50 and p99 in nanoseconds
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

struct Header {
  uint64_t offset;
  uint64_t length;
};

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// Returns false when the other end has closed.
bool ReceiveAll(int fd, void* into, size_t length) {
  auto* at = static_cast<uint8_t*>(into);
  while (length > 0) {
    ssize_t got = recv(fd, at, length, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return false;
    at += got;
    length -= static_cast<size_t>(got);
  }
  return true;
}

void SendAll(int fd, const void* from, size_t length, int flags) {
  auto* at = static_cast<const uint8_t*>(from);
  while (length > 0) {
    ssize_t sent = send(fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) Die("send");
    at += sent;
    length -= static_cast<size_t>(sent);
  }
}

void NoDelay(int fd) {
  int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) Die("TCP_NODELAY");
}

uint8_t* MapMemory(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
  return static_cast<uint8_t*>(memory);
}

// Through a staging buffer, as a message travels, then into the mapping.
void Serve(int listener, size_t size) {
  int fd = accept(listener, nullptr, nullptr);
  if (fd < 0) Die("accept");
  NoDelay(fd);
  uint8_t* memory = MapMemory(size);
  std::vector<uint8_t> staging(64 * 1024);
  Header header;
  while (ReceiveAll(fd, &header, sizeof header)) {
    for (uint64_t done = 0; done < header.length;) {
      size_t part = std::min<uint64_t>(staging.size(), header.length - done);
      if (!ReceiveAll(fd, staging.data(), part)) return;
      std::memcpy(memory + header.offset + done, staging.data(), part);
      done += part;
    }
    SendAll(fd, &header.length, sizeof header.length, 0);
  }
}

int Listen(sockaddr_in& address) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd, 1) != 0) Die("listen");
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) Die("getsockname");
  return fd;
}

int64_t PersistOnce(int fd, const uint8_t* memory, const Header& header) {
  auto begin = std::chrono::steady_clock::now();
  SendAll(fd, &header, sizeof header, MSG_MORE);
  SendAll(fd, memory + header.offset, header.length, 0);
  uint64_t answer = 0;
  if (!ReceiveAll(fd, &answer, sizeof answer) || answer != header.length) Die("answer");
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
}

std::vector<int64_t> Measure(const sockaddr_in& address, size_t bytes, size_t size, int rounds) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("connect");
  NoDelay(fd);
  const uint8_t* memory = MapMemory(size);
  std::vector<int64_t> took;
  int warmup = rounds / 10 + 1;
  for (int round = -warmup; round < rounds; round++) {
    uint64_t at = static_cast<uint64_t>(round + warmup) * bytes % (size - bytes);
    int64_t ns = PersistOnce(fd, memory, {at, bytes});
    if (round >= 0) took.push_back(ns);
  }
  close(fd);
  return took;
}

}  // namespace

int main(int argc, char** argv) {
  size_t bytes = argc == 3 ? std::strtoull(argv[1], nullptr, 10) : 0;
  int rounds = argc == 3 ? std::atoi(argv[2]) : 0;
  if (bytes == 0 || bytes > (size_t{64} << 20) || rounds <= 0) {
    std::fputs("usage: floor BYTES ROUNDS\n", stderr);
    return 2;
  }
  size_t size = std::max(size_t{16} << 20, bytes * 2);
  sockaddr_in address;
  int listener = Listen(address);
  pid_t peer = fork();
  if (peer < 0) Die("fork");
  if (peer == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Serve(listener, size);
    return 0;
  }
  std::vector<int64_t> took = Measure(address, bytes, size, rounds);
  waitpid(peer, nullptr, 0);
  std::sort(took.begin(), took.end());
  std::printf("%lld %lld\n", static_cast<long long>(took[took.size() / 2]),
              static_cast<long long>(took[took.size() * 99 / 100]));
  return 0;
}
