// How an initiator connects its lanes: in the rpmem dialect all at once, as each names itself; PMDK's target numbers lanes
// by their arrival, so there they come one after another.
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "lane-engine.h"
#include "monotonic.h"

namespace rpmem {
namespace {

// Reads of a lane that may complete at once, see Lane.
constexpr size_t kReads = 16;
constexpr uint64_t kQuickNs = 2 * kNsPerMs;

// Polls closely at first, since a connection on a near network takes tens of microseconds.
void Pause(uint64_t waited_ns) {
  if (waited_ns < kQuickNs) {
    sched_yield();
    return;
  }
  timespec pause{0, waited_ns < 50 * kNsPerMs ? 200'000 : 2'000'000};
  nanosleep(&pause, nullptr);
}

// The provider wants room for the proof next to the lane's number.
std::string ProofOf(uint32_t lane, const std::string& token) {
  std::string proof(sizeof(lane), '\0');
  std::memcpy(proof.data(), &lane, sizeof(lane));
  return proof + token;
}

}  // namespace

std::shared_ptr<LaneEngine> LaneEngine::Connect(ConnectTerms terms, FabricError& error) {
  std::shared_ptr<LaneEngine> engine(new LaneEngine(std::move(terms)));
  return engine->Open(error) && engine->ConnectLanes(error) ? engine : nullptr;
}

bool LaneEngine::Open(FabricError& error) {
  QueueSizes sizes{std::max<size_t>(2, terms_.work_queue_size), Window(terms_.dialect, terms_.inline_size)};
  adapter_ = Adapter::Open(terms_.provider, {terms_.address, terms_.port, false}, sizes, error);
  if (!adapter_) return false;
  queue_ = adapter_->OpenQueue(terms_.lanes * (sizes.transmit + 2 * sizes.receive + kReads), error);
  if (!queue_) return false;
  region_ = adapter_->Register(terms_.memory->base(), terms_.size, FI_SEND | FI_WRITE, error);
  // Lanes copy what the adapter cannot reach into buffers of their own.
  if (!region_ && error.failure != FabricFailure::kUnpinnableMemory) return false;
  error = {};
  const fi_info& info = adapter_->info();
  lane_terms_ = {.dialect = terms_.dialect,
                 .method = terms_.method,
                 .provider = terms_.provider,
                 .inline_size = terms_.inline_size,
                 .rkey = terms_.rkey,
                 .raddr = terms_.raddr,
                 .mapping = terms_.memory.get(),
                 .memory = terms_.memory->base(),
                 .registered = region_ != nullptr,
                 .memory_descriptor = region_ ? fi_mr_desc(region_.get()) : nullptr,
                 .max_message_size = info.ep_attr->max_msg_size,
                 .transmit_size = std::max<size_t>(2, info.tx_attr->size),
                 .wants_send_completions = adapter_->wants_send_completions()};
  for (uint32_t lane = 0; lane < terms_.lanes; ++lane) {
    lanes_.push_back(Lane::Open(*this, lane_terms_, lane, *adapter_, queue_.get(), error));
    if (!lanes_.back()) return lanes_.clear(), false;
  }
  return true;
}

bool LaneEngine::ConnectLanes(FabricError& error) {
  bool one_by_one = terms_.dialect == Dialect::kPmdk;
  for (uint32_t lane = 0; lane < lane_count(); ++lane) {
    if (!RequestLane(lane, error)) return false;
    if (!one_by_one) continue;
    if (!AwaitLanes(NowNs() + terms_.connect_timeout_ms * kNsPerMs, lane + 1, error)) return false;
  }
  if (!AwaitLanes(NowNs() + terms_.connect_timeout_ms * kNsPerMs, lane_count(), error)) return false;
  for (auto& lane : lanes_) {
    if (int rc = lane->Start(); rc != 0) {
      error = CallError(adapter_->library(), "fi_recvmsg", rc);
      return false;
    }
  }
  return true;
}

bool LaneEngine::RequestLane(uint32_t lane, FabricError& error) {
  std::string proof = terms_.dialect == Dialect::kRpmem ? ProofOf(lane, terms_.tokens[lane]) : std::string();
  const void* data = proof.empty() ? nullptr : proof.data();
  int rc = fi_connect(lanes_[lane]->endpoint(), adapter_->info().dest_addr, data, proof.size());
  if (rc != 0) error = CallError(adapter_->library(), "fi_connect", rc, FabricFailure::kUnreachable);
  return rc == 0;
}

void LaneEngine::NoteConnected(const fid* endpoint) {
  for (auto& lane : lanes_)
    if (&lane->endpoint()->fid == endpoint) lane->NoteConnected();
  ++connected_;
}

bool LaneEngine::AwaitLanes(uint64_t deadline_ns, uint32_t wanted, FabricError& error) {
  alignas(fi_eq_cm_entry) uint8_t buffer[sizeof(fi_eq_cm_entry) + 256];
  uint64_t start = NowNs();
  while (connected_ < wanted) {
    uint32_t event = 0;
    ssize_t rc = fi_eq_read(adapter_->events(), &event, buffer, sizeof(buffer), 0);
    if (rc == -FI_EAVAIL) {
      fi_eq_err_entry failed{};
      fi_eq_readerr(adapter_->events(), &failed, 0);
      // A target that refuses says why in the data of its refusal; a port where nobody listens says nothing.
      bool refused = failed.err == FI_ECONNREFUSED && failed.err_data != nullptr && failed.err_data_size > 0;
      error = CallError(adapter_->library(), "fi_connect", failed.err,
                        refused ? FabricFailure::kRefused : FabricFailure::kUnreachable);
      return false;
    }
    if (rc >= 0 && event == FI_CONNECTED) {
      NoteConnected(reinterpret_cast<const fi_eq_cm_entry*>(buffer)->fid);
      continue;
    }
    if (rc >= 0 && event == FI_SHUTDOWN) {
      error = {FabricFailure::kUnreachable, "fi_connect", FI_ECONNRESET, "the target closed the connection"};
      return false;
    }
    if (rc < 0 && rc != -FI_EAGAIN) {
      error = CallError(adapter_->library(), "fi_eq_read", rc);
      return false;
    }
    uint64_t now = NowNs();
    if (now >= deadline_ns) {
      error = {FabricFailure::kUnreachable, "fi_connect", FI_ETIMEDOUT, "no answer from the data port"};
      return false;
    }
    Pause(now - start);
  }
  return true;
}

}  // namespace rpmem
