// The sockets behind a passive endpoint of the TCP providers (`net` of libfabric 1.17, `tcp`, `sockets`), which libfabric
// does not hand out. All three read the greeting of a connection with calls that wait for the rest of it while no other
// connection is served, never give up one that stays silent, and cannot close the port while somebody is in the middle of a
// greeting. Sockets inherit options from the one that accepts them, so most of it can be mended from outside.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace rpmem {

class DataPort {
 public:
  // `greeting` is the number of bytes with which a lane begins. `read_by_caller`: the provider touches its sockets only inside
  // the calls of the one reader of events, and not in threads of its own. Does nothing if no socket listens at that address.
  void Guard(const sockaddr_storage& address, size_t greeting, bool read_by_caller);

  // Before a connection is accepted: those whose greeting is complete are heard again at every byte.
  void Release() const;

  // Ends connections that have shown no complete greeting: all, or those that were silent for a second. To be called by the
  // reader of events when there are none: nothing refers to those connections then.
  void TurnAway(bool all) const;

  // Nobody connects any more. Idempotent. What listens is replaced by a socket that nobody can reach, because the provider owns the number.
  void Close();

 private:
  template <typename Visit>
  void ForEachConnection(Visit visit) const;

  bool read_by_caller_ = false;
  sockaddr_storage address_{};
  int listener_ = -1;
  int greeting_ = 0;
  bool closed_ = false;
};

}  // namespace rpmem
