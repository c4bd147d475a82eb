#include "stand-in-fabric.h"

#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "libfabric.h"

namespace rpmem::stand_in {
namespace {

Wire wire;

struct Info : fi_info {
  fi_tx_attr tx{};
  fi_rx_attr rx{};
  fi_ep_attr ep{};
  fi_domain_attr domain_attributes{};
  fi_fabric_attr fabric_attributes{};

  Info() : fi_info{} {
    tx_attr = &tx;
    rx_attr = &rx;
    ep_attr = &ep;
    domain_attr = &domain_attributes;
    fabric_attr = &fabric_attributes;
    tx.size = 64;
    ep.max_msg_size = 1 << 30;
    domain_attributes.tx_ctx_cnt = domain_attributes.rx_ctx_cnt = domain_attributes.cq_cnt = 64;
  }
  ~Info() { std::free(fabric_attributes.prov_name); }
};

// Each object is a fid with a table of functions behind it.
template <typename Fid>
Fid* New(fi_ops& ops) {
  auto* object = new Fid{};
  object->fid.ops = &ops;
  return object;
}

template <typename Fid>
int Close(fid* object) {
  delete reinterpret_cast<Fid*>(object);
  return 0;
}

int Bind(fid*, fid*, uint64_t) { return 0; }
int Control(fid*, int, void*) { return 0; }

template <typename Fid>
fi_ops& Ops() {
  static fi_ops ops{sizeof(fi_ops), Close<Fid>, Bind, Control, nullptr, nullptr, nullptr};
  return ops;
}

ssize_t ReadEvents(fid_eq*, uint32_t* event, void* buffer, size_t, uint64_t) {
  if (wire.events.empty()) return -FI_EAGAIN;
  *event = wire.events.front();
  wire.events.pop_front();
  fi_eq_cm_entry entry{};
  entry.fid = wire.endpoint;
  std::memcpy(buffer, &entry, sizeof(entry));
  return sizeof(entry);
}

ssize_t ReadCompletions(fid_cq*, void* buffer, size_t count) {
  if (wire.completions.empty() && wire.on_starve && !wire.on_starve()) return -FI_EIO;
  size_t taken = std::min(count, wire.completions.size());
  if (taken == 0) return -FI_EAGAIN;
  std::copy_n(wire.completions.begin(), taken, static_cast<fi_cq_msg_entry*>(buffer));
  wire.completions.erase(wire.completions.begin(), wire.completions.begin() + static_cast<ptrdiff_t>(taken));
  return static_cast<ssize_t>(taken);
}

ssize_t AwaitCompletions(fid_cq* queue, void* buffer, size_t count, const void*, int) {
  return ReadCompletions(queue, buffer, count);
}

int Signal(fid_cq*) { return 0; }

ssize_t ReceiveMessage(fid_ep*, const fi_msg* message, uint64_t) {
  const iovec& part = message->msg_iov[0];
  wire.receives.push_back({{static_cast<uint8_t*>(part.iov_base), part.iov_len}, message->context});
  return 0;
}

ssize_t SendMessage(fid_ep*, const fi_msg* message, uint64_t) {
  std::string bytes;
  for (size_t n = 0; n < message->iov_count; ++n)
    bytes.append(static_cast<const char*>(message->msg_iov[n].iov_base), message->msg_iov[n].iov_len);
  if (wire.on_send) wire.on_send({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return 0;
}

ssize_t WriteMemory(fid_ep*, const fi_msg_rma* message, uint64_t flags) {
  const iovec& part = message->msg_iov[0];
  if (wire.on_write) wire.on_write(message->rma_iov[0].addr, {static_cast<uint8_t*>(part.iov_base), part.iov_len});
  if (flags & FI_COMPLETION) wire.completions.push_back({message->context, FI_WRITE | FI_RMA, 0});
  return 0;
}

ssize_t ReadMemory(fid_ep*, const fi_msg_rma* message, uint64_t) {
  const iovec& part = message->msg_iov[0];
  wire.reads.push_back({{static_cast<uint8_t*>(part.iov_base), part.iov_len}, message->rma_iov[0].addr, message->context});
  return 0;
}

int Connect(fid_ep*, const void*, const void*, size_t) {
  wire.events.push_back(FI_CONNECTED);
  return 0;
}

int Shutdown(fid_ep*, uint64_t) {
  wire.shut_down = true;
  return 0;
}

int OpenEndpoint(fid_domain*, fi_info*, fid_ep** endpoint, void*) {
  static fi_ops_msg messages{};
  messages.recvmsg = ReceiveMessage;
  messages.sendmsg = SendMessage;
  static fi_ops_rma accesses{};
  accesses.writemsg = WriteMemory;
  accesses.readmsg = ReadMemory;
  static fi_ops_cm connections{};
  connections.connect = Connect;
  connections.shutdown = Shutdown;
  *endpoint = New<fid_ep>(Ops<fid_ep>());
  (*endpoint)->msg = &messages;
  (*endpoint)->rma = &accesses;
  (*endpoint)->cm = &connections;
  wire.endpoint = &(*endpoint)->fid;
  return 0;
}

int OpenCompletions(fid_domain*, fi_cq_attr*, fid_cq** queue, void*) {
  static fi_ops_cq ops{};
  ops.read = ReadCompletions;
  ops.sread = AwaitCompletions;
  ops.signal = Signal;
  *queue = New<fid_cq>(Ops<fid_cq>());
  (*queue)->ops = &ops;
  return 0;
}

int OpenEvents(fid_fabric*, fi_eq_attr*, fid_eq** events, void*) {
  static fi_ops_eq ops{};
  ops.read = ReadEvents;
  *events = New<fid_eq>(Ops<fid_eq>());
  (*events)->ops = &ops;
  return 0;
}

int Register(fid*, const void*, size_t, uint64_t, uint64_t, uint64_t, uint64_t, fid_mr** region, void*) {
  *region = New<fid_mr>(Ops<fid_mr>());
  return 0;
}

int OpenDomain(fid_fabric*, fi_info*, fid_domain** domain, void*) {
  static fi_ops_domain ops{};
  ops.cq_open = OpenCompletions;
  ops.endpoint = OpenEndpoint;
  static fi_ops_mr regions{};
  regions.reg = Register;
  *domain = New<fid_domain>(Ops<fid_domain>());
  (*domain)->ops = &ops;
  (*domain)->mr = &regions;
  return 0;
}

int OpenFabric(fi_fabric_attr*, fid_fabric** fabric, void*) {
  static fi_ops_fabric ops{};
  ops.domain = OpenDomain;
  ops.eq_open = OpenEvents;
  *fabric = New<fid_fabric>(Ops<fid_fabric>());
  (*fabric)->ops = &ops;
  return 0;
}

fi_info* DuplicateInfo(const fi_info*) { return new Info(); }
void FreeInfo(fi_info* info) { delete static_cast<Info*>(info); }
int GetInfo(uint32_t, const char*, const char*, uint64_t, const fi_info*, fi_info** found) {
  *found = new Info();
  return 0;
}
const char* ErrorText(int) { return "an error"; }
uint32_t Version() { return FI_VERSION(1, 17); }

}  // namespace

Wire& TheWire() { return wire; }

Wire& Reset() {
  wire = Wire();
  return wire;
}

fi_cq_msg_entry Wire::Arrive(std::span<const uint8_t> message) {
  Receive receive = receives.front();
  receives.pop_front();
  size_t length = std::min(message.size(), receive.buffer.size());
  std::copy_n(message.begin(), length, receive.buffer.begin());
  return {receive.context, FI_RECV | FI_MSG, length};
}

}  // namespace rpmem::stand_in

namespace rpmem {

void LibFabric::PrepareEnvironment() {}

const LibFabric* LibFabric::Load(std::string&) {
  using namespace stand_in;
  static LibFabric table{GetInfo, FreeInfo, DuplicateInfo, OpenFabric, ErrorText, Version};
  return &table;
}

}  // namespace rpmem
