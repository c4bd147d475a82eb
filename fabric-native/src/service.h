// The target of one initiator: listens, accepts exactly the lanes of its session and nobody else, and serves them.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "data-port.h"
#include "lane-server.h"
#include "service-thread.h"

namespace rpmem {

struct ListenTerms {
  ProviderName provider;
  std::string address;
  std::shared_ptr<Mapping> memory;
  uint64_t size;
  uint32_t lanes;
  Dialect dialect;
  bool apm;
  size_t inline_size;
  // Dialect rpmem: one per lane, of 32 bytes; emptied once used.
  std::vector<std::string> tokens;
  // Dialect pmdk.
  std::string peer_address;
  uint32_t accept_timeout_ms;
  uint32_t threads;
  uint64_t spin_ns;
};

class Service {
 public:
  // Blocks while libfabric is loaded; not for the JavaScript thread.
  static std::shared_ptr<Service> Listen(ListenTerms terms, FabricError& error);
  ~Service();

  // `on_connected` is called once, on any thread: when all lanes are there, or with the reason why they never will be.
  void Start(std::function<void(const FabricError&)> on_connected);
  // Idempotent; blocks until all threads have ended.
  void Close();

  uint16_t port() const { return port_; }
  uint64_t rkey() const { return rkey_; }
  uint64_t raddr() const { return lane_terms_.raddr; }
  uint32_t lanes() const { return terms_.lanes; }
  const ServiceCounters& counters() const { return counters_; }

 private:
  explicit Service(ListenTerms terms) : terms_(std::move(terms)) {}

  bool Open(FabricError& error);
  bool OpenQueues(FabricError& error);
  bool OpenPort(FabricError& error);

  void Run();
  bool ReadEvent();
  void OnRequest(fi_info* info, const uint8_t* data, size_t length);
  // The lane that the request may become, or a reason to refuse it. What failed later has no request to answer any more.
  enum class Refusal : uint32_t { kNone, kProof, kFull, kPeer, kResources, kFailed };
  Refusal Examine(const fi_info& info, const uint8_t* data, size_t length, uint32_t& lane);
  Refusal Admit(fi_info* info, uint32_t lane);
  void OnConnected(fid* endpoint);
  void OnShutdown(fid* endpoint);
  LaneServer* LaneOf(fid* endpoint) const;
  void Settle(const FabricError& error);
  bool MustEnd() const;
  void EndLanes();
  void WatchPort(uint64_t now);
  void ClosePort();
  void Rest(uint64_t quiet_ns);

  ListenTerms terms_;
  ServiceLaneTerms lane_terms_{};
  ServiceCounters counters_;
  uint16_t port_ = 0;
  uint64_t rkey_ = 0;

  std::unique_ptr<Adapter> adapter_;
  Owned<fid_mr> region_;
  Owned<fid_pep> port_endpoint_;
  DataPort data_port_;
  bool port_open_ = true;
  uint64_t port_watched_ns_ = 0;
  std::vector<std::unique_ptr<ServiceThread>> threads_;
  std::vector<std::unique_ptr<LaneServer>> lanes_;
  // Lanes that failed before they were accepted.
  std::vector<std::unique_ptr<LaneServer>> rejected_;
  uint32_t requested_ = 0;
  uint32_t connected_ = 0;
  bool settled_ = false;
  uint64_t accept_deadline_ns_ = 0;
  uint64_t last_event_ns_ = 0;

  std::function<void(const FabricError&)> on_connected_;
  std::thread acceptor_;
  std::mutex mutex_;
  std::condition_variable wakes_;
  bool closing_ = false;
  std::mutex close_mutex_;
  bool closed_ = false;
};

}  // namespace rpmem
