// One lane of the initiator: a connection, the operations that wait for it and those under way, in order. Not thread-safe:
// the engine's wheel guards it.
//
// What reaches the target overtakes nothing: messages are handled in their order, and an RMA write or read, which the
// target's provider carries out before its service looks at earlier messages, is held back while inline data is under way.
#pragma once

#include <array>
#include <deque>
#include <memory>

#include "adapter.h"
#include "lane-message.h"
#include "mapping.h"
#include "operation.h"
#include "registered-buffer.h"

namespace rpmem {

enum class PersistMethod { kGpspm, kApm };

class LaneEngine;

// What all lanes of one connection have in common.
struct LaneTerms {
  Dialect dialect;
  PersistMethod method;
  ProviderName provider;
  size_t inline_size;
  uint64_t rkey;
  uint64_t raddr;
  Mapping* mapping;
  uint8_t* memory;
  // Whether the adapter reaches the memory itself.
  bool registered;
  void* memory_descriptor;
  size_t max_message_size;
  size_t transmit_size;
  bool wants_send_completions;
};

class Lane {
 public:
  static std::unique_ptr<Lane> Open(LaneEngine& engine, const LaneTerms& terms, uint32_t index, const Adapter& adapter,
                                    fid_cq* queue, FabricError& error);

  fid_ep* endpoint() const { return endpoint_.get(); }
  bool connected() const { return connected_; }
  void NoteConnected() { connected_ = true; }

  // Posts the receives for answers; 0 or a negative code of libfabric, as below.
  int Start();
  void Enqueue(Operation& operation);
  // Sends what may be sent now.
  int Pump();
  bool idle() const { return queue_.empty() && item_count_ == 0; }
  bool waiting() const { return !queue_.empty(); }

  enum class Signal : uint8_t { kSend, kWrite, kAnswer, kRead };
  struct Completion {
    fi_context2 context;
    Lane* lane;
    Signal signal;
    uint32_t slot;
  };
  int OnCompletion(const Completion& completion, size_t length);

  // When the target counts as lost, or kNoDeadline. It only moves forward, unless operations are added.
  uint64_t DeadlineNs() const;
  // Settles everything that is pending.
  void Abandon(int32_t status);

 private:
  template <typename Visit>
  void EachPending(Visit visit) const {
    for (uint32_t n = 0; n < item_count_; ++n) {
      for (const Operation* operation : item(n).operations) visit(*operation);
    }
    for (const Operation* operation : queue_) visit(*operation);
  }

  // Something under way: a message that will be answered, or an RMA read.
  struct Item {
    enum Kind : uint8_t { kMessage, kFence, kRead } kind;
    bool answered;
    bool inline_data;
    bool quiet;
    int32_t status;
    uint64_t sequence;
    uint64_t length;
    std::vector<Operation*> operations;
  };
  // How a range travels: in a message, by an RMA write that a message names, or by an RMA write that a read pushes home.
  enum class Carriage { kInline, kPlaced, kFenced };
  // A negative code of libfabric, or one of these.
  enum Step : int { kSent = 0, kBlocked = 1 };
  struct Draft;

  Lane(LaneEngine& engine, const LaneTerms& terms, uint32_t index, const Adapter& adapter)
      : engine_(engine), terms_(terms), index_(index), adapter_(adapter), window_(Window(terms.dialect, terms.inline_size)) {}

  static constexpr uint32_t kMaxItems = 16;
  static constexpr size_t kBounceBytes = 256 * 1024;
  static constexpr size_t kAnswerStride = 64;
  Item& item(uint32_t n) { return items_[(first_item_ + n) % kMaxItems]; }
  const Item& item(uint32_t n) const { return items_[(first_item_ + n) % kMaxItems]; }
  Item& NewItem(Item::Kind kind);
  void Retire();
  void Finish(Operation& operation);

  Carriage CarriageOf(const Range& range) const;
  int PumpFront();
  int PumpMessage(Operation& front);
  int PumpFenced(Operation& operation);
  int PumpRead(Operation& operation);
  int PumpNothing(Operation& operation);
  void Advance(Operation& operation, uint64_t length);
  void PopIfSent(Operation& operation);
  bool OwesRead(const Operation& operation) const;
  int FillDraft(Draft& draft);
  int AddRange(Draft& draft, Operation& operation);
  int AddInline(Draft& draft, Operation& operation, const Range& rest);
  int AddPlaced(Draft& draft, Operation& operation, const Range& rest);
  void AddEntry(Draft& draft, Operation& operation, const Range& range, bool inline_data);
  int SendDraft(const Draft& draft);

  int PostAnswer(uint32_t slot);
  // What is to be written, from registered memory.
  struct Source {
    const uint8_t* data;
    void* descriptor;
  };
  Source InPool(uint64_t offset) const { return {terms_.memory + offset, terms_.memory_descriptor}; }
  int PostWrite(uint64_t offset, uint64_t length, Source source);
  int PostRead(uint64_t offset, uint64_t length, uint8_t* into, uint32_t slot);
  template <typename Post>
  int Persevere(Post post);
  int OnAnswer(uint32_t slot, size_t length);
  bool Acknowledge(uint64_t sequence, int32_t status);
  bool MayBeQuiet() const;
  void OnRead(uint32_t slot);

  LaneEngine& engine_;
  const LaneTerms& terms_;
  const uint32_t index_;
  const Adapter& adapter_;
  const uint64_t window_;
  size_t capacity_ = 0;
  size_t answer_bytes_ = 0;
  RegisteredBuffer messages_;
  RegisteredBuffer answers_;
  RegisteredBuffer bounce_;
  std::array<Completion, 8> answer_completions_{};
  std::array<Completion, kMaxItems> read_completions_{};
  Completion send_completion_{};
  Completion write_completion_{};

  std::deque<Operation*> queue_;
  std::array<Item, kMaxItems> items_{};
  uint32_t first_item_ = 0;
  uint32_t item_count_ = 0;
  uint64_t sequence_ = 0;
  uint32_t messages_under_way_ = 0;
  uint32_t answers_due_ = 0;
  uint32_t quiet_run_ = 0;
  uint32_t inline_under_way_ = 0;
  uint32_t reads_under_way_ = 0;
  size_t unsignalled_writes_ = 0;
  size_t unsent_bytes_ = 0;
  // When the target last gave a sign of life, and when the last operation ended.
  uint64_t heard_ns_ = 0;
  uint64_t ended_ns_ = 0;
  // Last, so that it is closed first: the provider still knows the buffers.
  Owned<fid_ep> endpoint_;
  bool connected_ = false;
};

}  // namespace rpmem
