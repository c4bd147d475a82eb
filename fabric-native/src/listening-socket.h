// The socket behind a passive endpoint, which libfabric does not hand out.
#pragma once

#include <cstdint>

namespace rpmem {

// The `net` provider reads the greeting of a connection with blocking calls while it holds a lock. Sockets inherit this
// limit from the one that accepts them, so a stranger who sends half a greeting costs milliseconds and not the service.
// Does nothing if this process has no socket that listens on the port.
void LimitGreeting(uint16_t port, int milliseconds);

}  // namespace rpmem
