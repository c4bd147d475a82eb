// One lane at the target: receives messages, makes their ranges durable, answers. Used by its service thread only.
//
// A message is checked as a whole before anything of it is done; what breaks the rules ends this lane and no other.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "adapter.h"
#include "lane-message.h"
#include "mapping.h"
#include "registered-buffer.h"

namespace rpmem {

struct ServiceCounters {
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> rejected{0};
  std::atomic<uint32_t> active_lanes{0};
};

// What all lanes of a service have in common.
struct ServiceLaneTerms {
  Dialect dialect;
  size_t inline_size;
  uint64_t size;
  uint64_t raddr;
  uint32_t lanes;
  Mapping* memory;
  ServiceCounters* counters;
  bool wants_send_completions;
  // The provider writes past the processor's page tables.
  bool dma;
};

class LaneServer {
 public:
  static std::unique_ptr<LaneServer> Open(const ServiceLaneTerms& terms, uint32_t index, const Adapter& adapter,
                                          fi_info* info, fid_cq* queue, FabricError& error);

  fid_ep* endpoint() const { return endpoint_.get(); }
  // Posts the receives; 0 or a negative code of libfabric.
  int Start();

  struct Completion {
    fi_context2 context;
    LaneServer* lane;
    bool received;
    uint32_t slot;
  };
  void OnCompletion(const Completion& completion, size_t length);
  // Any thread: ends the lane, and its peer learns of it.
  // Nobody polls for the answer to the last message.
  bool patient() const { return patient_; }
  void OnError();
  // Any thread: the peer has gone.
  void End();
  void Activate();
  // Closes it before it was accepted; only the object remains.
  void Discard();

 private:
  struct Entry {
    uint64_t offset;
    uint64_t length;
    const uint8_t* data;
    bool deep;
  };

  LaneServer(const ServiceLaneTerms& terms, uint32_t index) : terms_(terms), index_(index) {}

  int PostReceive(uint32_t slot);
  bool Parse(const uint8_t* message, size_t length);
  bool ParseRpmem(const uint8_t* message, size_t length);
  bool ParsePmdk(const uint8_t* message, size_t length);
  bool Inside(uint64_t offset, uint64_t length) const { return offset <= terms_.size && length <= terms_.size - offset; }
  int Carry();
  int CarryDax();
  int CarryMsync();
  int SyncPages();
  void Touch(uint64_t offset, uint64_t length) const;
  int Deepen();
  void PutAnswer(uint8_t* answer, int status) const;
  int Answer(uint32_t slot, int status);

  const ServiceLaneTerms& terms_;
  const uint32_t index_;
  size_t capacity_ = 0;
  RegisteredBuffer messages_;
  RegisteredBuffer answers_;
  std::array<Completion, 8> receive_completions_{};
  Completion send_completion_{};
  std::vector<Entry> entries_;
  bool quiet_ = false;
  bool patient_ = false;
  // Of messages that were not answered yet: the first failure, and what msync is still to be called for.
  int status_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> unsynced_;
  uint64_t sequence_ = 0;
  std::atomic<bool> alive_{false};
  Owned<fid_ep> endpoint_;
};

}  // namespace rpmem
