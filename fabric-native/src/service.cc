#include "service.h"

#include <arpa/inet.h>
#include <sched.h>

#include <algorithm>
#include <cstring>

#include "monotonic.h"

namespace rpmem {
namespace {

constexpr size_t kTokenBytes = 32;
constexpr size_t kProofBytes = sizeof(uint32_t) + kTokenBytes;

// What a connection begins with before the proof: ofi_ctrl_hdr of `net`, sock_conn_req of `sockets`.
constexpr size_t kTcpGreeting = 32;
constexpr size_t kSocketsGreeting = 64;

// How soon a request is seen: at once while lanes are arriving, within a tenth of a second when all are there.
constexpr uint64_t kQuickNs = 2 * kNsPerMs;
constexpr auto kArrivalPause = std::chrono::microseconds(300);
constexpr auto kServingPause = std::chrono::milliseconds(100);
constexpr uint64_t kPortWatchNs = 250 * kNsPerMs;

bool SameBytes(const uint8_t* left, const uint8_t* right, size_t length) {
  uint8_t difference = 0;
  for (size_t n = 0; n < length; ++n) difference |= static_cast<uint8_t>(left[n] ^ right[n]);
  return difference == 0;
}

// An IPv4 or IPv6 address in the form of the latter, so that both notations of one host compare equal.
struct HostAddress {
  in6_addr bytes{};
  bool valid = false;

  static HostAddress Of(const in_addr& v4) {
    HostAddress host{.valid = true};
    host.bytes.s6_addr[10] = host.bytes.s6_addr[11] = 0xff;
    std::memcpy(&host.bytes.s6_addr[12], &v4, sizeof(v4));
    return host;
  }
  static HostAddress Of(const in6_addr& v6) { return {v6, true}; }
  static HostAddress Parse(const std::string& text) {
    in_addr v4;
    in6_addr v6;
    if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return Of(v4);
    return inet_pton(AF_INET6, text.c_str(), &v6) == 1 ? Of(v6) : HostAddress{};
  }
  static HostAddress Of(const void* address, size_t length) {
    if (address == nullptr || length < sizeof(sockaddr_in)) return {};
    const auto* generic = static_cast<const sockaddr*>(address);
    if (generic->sa_family == AF_INET) return Of(static_cast<const sockaddr_in*>(address)->sin_addr);
    if (generic->sa_family != AF_INET6 || length < sizeof(sockaddr_in6)) return {};
    return Of(static_cast<const sockaddr_in6*>(address)->sin6_addr);
  }
  bool operator==(const HostAddress& other) const {
    return valid && other.valid && std::memcmp(&bytes, &other.bytes, sizeof(bytes)) == 0;
  }
};

uint16_t PortOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

uint32_t DefaultThreads(uint32_t lanes) {
  return std::min(lanes, std::max(1u, std::thread::hardware_concurrency() / 2));
}

}  // namespace

std::shared_ptr<Service> Service::Listen(ListenTerms terms, FabricError& error) {
  std::shared_ptr<Service> service(new Service(std::move(terms)));
  return service->Open(error) ? service : nullptr;
}

Service::~Service() { Close(); }

bool Service::Open(FabricError& error) {
  size_t window = Window(terms_.dialect, terms_.inline_size);
  adapter_ = Adapter::Open(terms_.provider, {terms_.address, "", true}, {2 * window, window}, error);
  if (!adapter_) return false;
  terms_.lanes = static_cast<uint32_t>(std::min<size_t>(terms_.lanes, MaxLanes(adapter_->info())));
  region_ = adapter_->Register(terms_.memory->base(), terms_.size, FI_REMOTE_READ | FI_REMOTE_WRITE, error);
  if (!region_) return false;
  rkey_ = fi_mr_key(region_.get());
  lane_terms_ = {.dialect = terms_.dialect,
                 .inline_size = terms_.inline_size,
                 .size = terms_.size,
                 .raddr = reinterpret_cast<uint64_t>(terms_.memory->base()),
                 .lanes = terms_.lanes,
                 .memory = terms_.memory.get(),
                 .counters = &counters_,
                 .wants_send_completions = adapter_->wants_send_completions(),
                 .dma = terms_.provider == ProviderName::kVerbs};
  lanes_.resize(terms_.lanes);
  return OpenQueues(error) && OpenPort(error);
}

bool Service::OpenQueues(FabricError& error) {
  uint32_t threads = terms_.threads > 0 ? std::min(terms_.threads, terms_.lanes) : DefaultThreads(terms_.lanes);
  // The sockets provider has threads of its own, which polling would keep from their work.
  uint64_t spin_ns = terms_.provider == ProviderName::kSockets ? 0 : terms_.spin_ns;
  size_t lanes_per_thread = (terms_.lanes + threads - 1) / threads;
  for (uint32_t thread = 0; thread < threads; ++thread) {
    Owned<fid_cq> queue = adapter_->OpenQueue(lanes_per_thread * 3 * Window(terms_.dialect, terms_.inline_size), error);
    if (!queue) return false;
    threads_.push_back(std::make_unique<ServiceThread>(std::move(queue), spin_ns));
  }
  return true;
}

bool Service::OpenPort(FabricError& error) {
  const LibFabric& library = adapter_->library();
  fid_pep* raw = nullptr;
  int rc = fi_passive_ep(adapter_->fabric(), const_cast<fi_info*>(&adapter_->info()), &raw, nullptr);
  if (rc != 0) return error = CallError(library, "fi_passive_ep", rc), false;
  port_endpoint_.reset(raw);
  rc = fi_pep_bind(raw, &adapter_->events()->fid, 0);
  if (rc != 0) return error = CallError(library, "fi_pep_bind", rc), false;
  rc = fi_listen(raw);
  if (rc != 0) return error = CallError(library, "fi_listen", rc), false;
  sockaddr_storage address{};
  size_t length = sizeof(address);
  rc = fi_getname(&raw->fid, &address, &length);
  if (rc != 0) return error = CallError(library, "fi_getname", rc), false;
  port_ = PortOf(address);
  if (terms_.provider == ProviderName::kVerbs) return true;
  size_t proof = terms_.dialect == Dialect::kRpmem ? kProofBytes : 0;
  size_t greeting = terms_.provider == ProviderName::kTcp ? kTcpGreeting : kSocketsGreeting;
  data_port_.Guard(address, greeting + proof, std::strcmp(FabricNameOf(library, terms_.provider), "net") == 0);
  return true;
}

void Service::Start(std::function<void(const FabricError&)> on_connected) {
  on_connected_ = std::move(on_connected);
  acceptor_ = std::thread([this] { Run(); });
}

void Service::Close() {
  std::lock_guard once(close_mutex_);
  if (closed_) return;
  closed_ = true;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    wakes_.notify_all();
  }
  if (acceptor_.joinable()) acceptor_.join();
  Settle({FabricFailure::kClosed, "", 0, "the service was closed"});
  ClosePort();
  for (auto& thread : threads_) thread->Stop();
  for (auto& lane : lanes_) {
    if (!lane) continue;
    lane->End();
    fi_shutdown(lane->endpoint(), 0);
  }
  lanes_.clear();
  threads_.clear();
  rejected_.clear();
  port_endpoint_.reset();
  region_.reset();
  adapter_.reset();
  terms_.memory.reset();
}

void Service::Settle(const FabricError& error) {
  if (settled_) return;
  settled_ = true;
  if (on_connected_) on_connected_(error);
  on_connected_ = nullptr;
}

void Service::Run() {
  last_event_ns_ = NowNs();
  accept_deadline_ns_ = last_event_ns_ + terms_.accept_timeout_ms * kNsPerMs;
  for (;;) {
    bool event = ReadEvent();
    uint64_t now = NowNs();
    if (event) last_event_ns_ = now;
    if (!settled_ && now >= accept_deadline_ns_) {
      requested_ = terms_.lanes;
      Settle({FabricFailure::kDeadline, "", FI_ETIMEDOUT, "not every lane was connected in time"});
    }
    if (MustEnd()) EndLanes();
    if (!event) WatchPort(now);
    if (!event) Rest(now - last_event_ns_);
    std::lock_guard lock(mutex_);
    if (closing_) return;
  }
}

// With APM the answer is that of the platform, which does not know that what it wrote to is no longer the pool.
bool Service::MustEnd() const {
  if (terms_.apm && terms_.memory->failure() != 0) return true;
  return std::any_of(threads_.begin(), threads_.end(), [](const auto& thread) { return thread->failed(); });
}

void Service::EndLanes() {
  for (auto& lane : lanes_) {
    if (lane) lane->OnError();
  }
}

void Service::WatchPort(uint64_t now) {
  if (settled_) {
    ClosePort();
  } else if (now - port_watched_ns_ >= kPortWatchNs) {
    data_port_.TurnAway(false);
    port_watched_ns_ = now;
  }
}

// Once all lanes are there, or will never be, nobody else has any business here. A passive endpoint of `net` must outlive
// what it has accepted, so that only what it listens with goes; over verbs it can be closed.
void Service::ClosePort() {
  if (!port_open_) return;
  port_open_ = false;
  data_port_.Close();
  data_port_.TurnAway(true);
  if (terms_.provider == ProviderName::kVerbs) port_endpoint_.reset();
}

void Service::Rest(uint64_t quiet_ns) {
  if (!settled_ && quiet_ns < kQuickNs) {
    sched_yield();
    return;
  }
  std::unique_lock lock(mutex_);
  auto pause = settled_ ? std::chrono::microseconds(kServingPause) : kArrivalPause;
  wakes_.wait_for(lock, pause, [this] { return closing_; });
}

bool Service::ReadEvent() {
  alignas(fi_eq_cm_entry) uint8_t buffer[sizeof(fi_eq_cm_entry) + 256];
  auto* entry = reinterpret_cast<fi_eq_cm_entry*>(buffer);
  uint32_t event = 0;
  ssize_t rc = fi_eq_read(adapter_->events(), &event, buffer, sizeof(buffer), 0);
  if (rc == -FI_EAVAIL) {
    fi_eq_err_entry failed{};
    if (fi_eq_readerr(adapter_->events(), &failed, 0) > 0 && failed.fid != nullptr) OnShutdown(failed.fid);
    return true;
  }
  if (rc < static_cast<ssize_t>(sizeof(fi_eq_cm_entry))) return false;
  if (event == FI_CONNREQ) OnRequest(entry->info, entry->data, static_cast<size_t>(rc) - sizeof(fi_eq_cm_entry));
  if (event == FI_CONNECTED) OnConnected(entry->fid);
  if (event == FI_SHUTDOWN) OnShutdown(entry->fid);
  return true;
}

void Service::OnRequest(fi_info* raw, const uint8_t* data, size_t length) {
  OwnedInfo info(raw, FreeInfo{&adapter_->library()});
  if (!port_endpoint_) return;
  uint32_t lane = 0;
  Refusal refusal = Examine(*info, data, length, lane);
  if (refusal == Refusal::kNone) refusal = Admit(info.get(), lane);
  if (refusal == Refusal::kNone) return;
  counters_.rejected.fetch_add(1);
  if (refusal == Refusal::kFailed) return;
  fi_reject(port_endpoint_.get(), info->handle, &refusal, sizeof(refusal));
}

Service::Refusal Service::Examine(const fi_info& info, const uint8_t* data, size_t length, uint32_t& lane) {
  if (requested_ >= terms_.lanes) return Refusal::kFull;
  if (terms_.dialect == Dialect::kPmdk) {
    lane = requested_;
    bool expected = HostAddress::Parse(terms_.peer_address) == HostAddress::Of(info.dest_addr, info.dest_addrlen);
    return expected ? Refusal::kNone : Refusal::kPeer;
  }
  if (length < kProofBytes) return Refusal::kProof;
  lane = Get<uint32_t>(data, 0);
  if (lane >= terms_.lanes || lane >= terms_.tokens.size()) return Refusal::kProof;
  std::string& token = terms_.tokens[lane];
  if (token.size() != kTokenBytes) return Refusal::kProof;
  if (!SameBytes(reinterpret_cast<const uint8_t*>(token.data()), data + sizeof(lane), kTokenBytes)) return Refusal::kProof;
  token.clear();
  return Refusal::kNone;
}

Service::Refusal Service::Admit(fi_info* info, uint32_t lane) {
  FabricError error;
  fid_cq* queue = threads_[lane % threads_.size()]->queue();
  std::unique_ptr<LaneServer> server = LaneServer::Open(lane_terms_, lane, *adapter_, info, queue, error);
  if (!server) return Refusal::kResources;
  data_port_.Release();
  if (server->Start() != 0 || fi_accept(server->endpoint(), nullptr, 0) != 0) {
    // What its receives leave in the queue still points to it.
    server->Discard();
    rejected_.push_back(std::move(server));
    return Refusal::kFailed;
  }
  lanes_[lane] = std::move(server);
  ++requested_;
  return Refusal::kNone;
}

LaneServer* Service::LaneOf(fid* endpoint) const {
  for (const auto& lane : lanes_) {
    if (lane && &lane->endpoint()->fid == endpoint) return lane.get();
  }
  return nullptr;
}

void Service::OnConnected(fid* endpoint) {
  LaneServer* lane = LaneOf(endpoint);
  if (lane == nullptr) return;
  lane->Activate();
  if (++connected_ < terms_.lanes || settled_) return;
  data_port_.Close();
  try {
    for (auto& thread : threads_) thread->Start();
    Settle({});
  } catch (const std::system_error& error) {
    Settle({FabricFailure::kCall, "pthread_create", error.code().value(), error.what()});
  }
}

void Service::OnShutdown(fid* endpoint) {
  if (LaneServer* lane = LaneOf(endpoint)) lane->End();
}

}  // namespace rpmem
