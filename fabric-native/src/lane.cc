#include "lane.h"

#include <algorithm>
#include <cerrno>

#include "lane-engine.h"
#include "mailbox.h"
#include "monotonic.h"

namespace rpmem {
namespace {

// What a call may take longer for its length: 16 MiB a second.
constexpr uint64_t kByteNs = 1'000'000'000 / (16 << 20);

}  // namespace

std::unique_ptr<Lane> Lane::Open(LaneEngine& engine, const LaneTerms& terms, uint32_t index, const Adapter& adapter,
                                 fid_cq* queue, FabricError& error) {
  std::unique_ptr<Lane> lane(new Lane(engine, terms, index, adapter));
  lane->capacity_ = MessageCapacity(terms.dialect, terms.inline_size);
  lane->answer_bytes_ = AnswerBytes(terms.dialect);
  lane->messages_ = RegisteredBuffer::Of(adapter, lane->window_ * lane->capacity_, FI_SEND | FI_WRITE, error);
  if (!lane->messages_) return nullptr;
  lane->answers_ = RegisteredBuffer::Of(adapter, lane->window_ * kAnswerStride, FI_RECV, error);
  if (!lane->answers_) return nullptr;
  lane->bounce_ = RegisteredBuffer::Of(adapter, kBounceBytes, FI_READ | FI_REMOTE_WRITE, error);
  if (!lane->bounce_) return nullptr;
  fi_info* info = const_cast<fi_info*>(&adapter.info());
  lane->endpoint_ = adapter.OpenEndpoint(info, queue, lane.get(), error);
  return lane->endpoint_ ? std::move(lane) : nullptr;
}

int Lane::Start() {
  send_completion_ = {{}, this, Signal::kSend, 0};
  write_completion_ = {{}, this, Signal::kWrite, 0};
  for (uint32_t slot = 0; slot < kMaxItems; ++slot) read_completions_[slot] = {{}, this, Signal::kRead, slot};
  for (uint32_t slot = 0; slot < window_; ++slot) {
    answer_completions_[slot] = {{}, this, Signal::kAnswer, slot};
    if (int rc = PostAnswer(slot); rc != 0) return rc;
  }
  return 0;
}

void Lane::Enqueue(Operation& operation) {
  for (const Range& range : operation.ranges) unsent_bytes_ += range.length + layout::kLaneEntryBytes;
  queue_.push_back(&operation);
}

int Lane::OnCompletion(const Completion& completion, size_t length) {
  // That a message was sent says nothing about the target.
  if (completion.signal != Signal::kSend) heard_ns_ = NowNs();
  switch (completion.signal) {
    case Signal::kAnswer:
      return OnAnswer(completion.slot, length);
    case Signal::kRead:
      OnRead(completion.slot);
      return 0;
    default:
      return 0;
  }
}

int Lane::OnAnswer(uint32_t slot, size_t length) {
  const uint8_t* answer = answers_.data() + slot * kAnswerStride;
  // A message that is still being written is not under way yet.
  if (answers_due_ == 0 || length != answer_bytes_) return -FI_EOTHER;
  uint64_t sequence = 0;
  int32_t status = kDone;
  if (terms_.dialect == Dialect::kRpmem) {
    if (Get<uint16_t>(answer, layout::kLaneAnswerKind) != layout::kLaneMessageKindAnswer) return -FI_EOTHER;
    sequence = Get<uint64_t>(answer, layout::kLaneAnswerSequence);
    if (Get<uint32_t>(answer, layout::kLaneAnswerStatus) != layout::kLaneAnswerStatusDone) {
      status = std::max<int32_t>(1, Get<int32_t>(answer, layout::kLaneAnswerErrno));
    }
  } else {
    sequence = sequence_;
  }
  if (!Acknowledge(sequence, status)) return -FI_EOTHER;
  if (int rc = PostAnswer(slot); rc != 0) return rc;
  Retire();
  return 0;
}

// Settles the message of that sequence and the quiet ones before it; false if it is not the one whose answer is due.
bool Lane::Acknowledge(uint64_t sequence, int32_t status) {
  for (uint32_t n = 0; n < item_count_; ++n) {
    Item& item = this->item(n);
    if (item.kind != Item::kMessage || item.answered) continue;
    item.answered = true;
    item.status = status;
    --messages_under_way_;
    if (item.inline_data) --inline_under_way_;
    if (item.quiet) continue;
    --answers_due_;
    return item.sequence == sequence;
  }
  return false;
}

void Lane::OnRead(uint32_t slot) {
  Item& item = items_[slot];
  --reads_under_way_;
  item.answered = true;
  if (item.kind == Item::kRead) {
    Operation& operation = *item.operations.front();
    std::memcpy(operation.into + item.sequence, bounce_.data(), item.length);
  }
  Retire();
}

void Lane::Retire() {
  while (item_count_ > 0 && item(0).answered) {
    Item& item = this->item(0);
    first_item_ = (first_item_ + 1) % kMaxItems;
    --item_count_;
    for (Operation* operation : item.operations) {
      // A drain without ranges only waits here, perhaps behind the failure of another thread.
      if (!operation->ranges.empty()) operation->Settle(item.status);
      if (--operation->unanswered == 0 && operation->sent() && !OwesRead(*operation)) Finish(*operation);
    }
  }
}

void Lane::Finish(Operation& operation) {
  int32_t& flush_status = operation.mailbox->flush_status[index_];
  if (operation.internal) {
    if (flush_status == kDone) flush_status = operation.status;
  } else if (operation.kind == OperationKind::kDrain) {
    operation.Settle(flush_status);
    flush_status = kDone;
  }
  ended_ns_ = heard_ns_;
  engine_.Complete(operation);
}

// Silence loses the target, and so does an operation that takes too long although the target is alive. The latter is
// counted from the end of the one before it on this lane, since a queue is not its fault.
uint64_t Lane::DeadlineNs() const {
  uint64_t deadline = kNoDeadline;
  const Operation* oldest = nullptr;
  EachPending([&](const Operation& pending) {
    if (oldest == nullptr) oldest = &pending;
    if (pending.patience_ns == kNoDeadline) return;
    deadline = std::min(deadline, std::max(pending.begun_ns, heard_ns_) + pending.patience_ns);
  });
  if (oldest == nullptr || oldest->patience_ns == kNoDeadline) return deadline;
  uint64_t length = 0;
  for (const Range& range : oldest->ranges) length += range.length;
  uint64_t own = std::max(oldest->begun_ns, ended_ns_) + oldest->patience_ns + length * kByteNs;
  return std::min(deadline, own);
}

void Lane::Abandon(int32_t status) {
  std::vector<Operation*> pending(queue_.begin(), queue_.end());
  for (uint32_t n = 0; n < item_count_; ++n) {
    for (Operation* operation : item(n).operations) pending.push_back(operation);
  }
  queue_.clear();
  item_count_ = messages_under_way_ = answers_due_ = quiet_run_ = inline_under_way_ = reads_under_way_ = 0;
  unsent_bytes_ = 0;
  std::sort(pending.begin(), pending.end());
  pending.erase(std::unique(pending.begin(), pending.end()), pending.end());
  for (Operation* operation : pending) {
    operation->Settle(status);
    engine_.Complete(*operation);
  }
}

}  // namespace rpmem
