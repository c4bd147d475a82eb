#include "lane-server.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace rpmem {
namespace {

constexpr size_t kAnswerStride = 64;
constexpr uint64_t kPage = 4096;
constexpr int kSendAttempts = 1'000'000;

}  // namespace

std::unique_ptr<LaneServer> LaneServer::Open(const ServiceLaneTerms& terms, uint32_t index, const Adapter& adapter,
                                             fi_info* info, fid_cq* queue, FabricError& error) {
  std::unique_ptr<LaneServer> lane(new LaneServer(terms, index));
  size_t window = Window(terms.dialect, terms.inline_size);
  lane->capacity_ = MessageCapacity(terms.dialect, terms.inline_size);
  lane->messages_ = RegisteredBuffer::Of(adapter, window * lane->capacity_, FI_RECV, error);
  if (!lane->messages_) return nullptr;
  lane->answers_ = RegisteredBuffer::Of(adapter, window * kAnswerStride, FI_SEND, error);
  if (!lane->answers_) return nullptr;
  lane->endpoint_ = adapter.OpenEndpoint(info, queue, lane.get(), error);
  return lane->endpoint_ ? std::move(lane) : nullptr;
}

int LaneServer::Start() {
  send_completion_ = {{}, this, false, 0};
  for (uint32_t slot = 0; slot < Window(terms_.dialect, terms_.inline_size); ++slot) {
    receive_completions_[slot] = {{}, this, true, slot};
    if (int rc = PostReceive(slot); rc != 0) return rc;
  }
  return 0;
}

void LaneServer::Activate() {
  if (!alive_.exchange(true)) terms_.counters->active_lanes.fetch_add(1);
}

void LaneServer::End() {
  if (alive_.exchange(false)) terms_.counters->active_lanes.fetch_sub(1);
}

void LaneServer::OnError() {
  if (!alive_.load()) return;
  End();
  fi_shutdown(endpoint_.get(), 0);
}

void LaneServer::Discard() {
  endpoint_.reset();
  RegisteredBuffer messages = std::move(messages_);
  RegisteredBuffer answers = std::move(answers_);
}

int LaneServer::PostReceive(uint32_t slot) {
  iovec part{messages_.data() + slot * capacity_, capacity_};
  void* descriptor = messages_.descriptor();
  fi_msg message{};
  message.msg_iov = &part;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.context = &receive_completions_[slot];
  return static_cast<int>(fi_recvmsg(endpoint_.get(), &message, FI_COMPLETION));
}

void LaneServer::OnCompletion(const Completion& completion, size_t length) {
  if (!completion.received || !alive_.load(std::memory_order_relaxed)) return;
  int rc = -FI_EOTHER;
  if (Parse(messages_.data() + completion.slot * capacity_, length)) {
    int status = Carry();
    if (status_ == 0) status_ = status;
    terms_.counters->messages.fetch_add(1, std::memory_order_relaxed);
    // The receive comes first: with the answer the peer may send its next message.
    rc = PostReceive(completion.slot);
    if (rc == 0 && !quiet_) rc = Answer(completion.slot, std::exchange(status_, 0));
  }
  if (rc != 0) OnError();
}

bool LaneServer::Parse(const uint8_t* message, size_t length) {
  entries_.clear();
  return terms_.dialect == Dialect::kRpmem ? ParseRpmem(message, length) : ParsePmdk(message, length);
}

bool LaneServer::ParseRpmem(const uint8_t* message, size_t length) {
  if (length < layout::kLaneMessageBytes || length > capacity_) return false;
  if (Get<uint16_t>(message, layout::kLaneMessageKind) != layout::kLaneMessageKindPersist) return false;
  if (Get<uint64_t>(message, layout::kLaneMessageLength) != length) return false;
  if (Get<uint64_t>(message, layout::kLaneMessageSequence) != ++sequence_) return false;
  uint16_t flags = Get<uint16_t>(message, layout::kLaneMessageFlags);
  quiet_ = (flags & layout::kLaneMessageFlagQuiet) != 0;
  patient_ = (flags & layout::kLaneMessageFlagPatient) != 0;
  uint32_t count = Get<uint32_t>(message, layout::kLaneMessageEntries);
  size_t at = layout::kLaneMessageBytes;
  for (uint32_t n = 0; n < count; ++n) {
    if (length - at < layout::kLaneEntryBytes) return false;
    const uint8_t* head = message + at;
    at += layout::kLaneEntryBytes;
    uint32_t flags = Get<uint32_t>(head, layout::kLaneEntryFlags);
    Entry entry{Get<uint64_t>(head, layout::kLaneEntryOffset), Get<uint64_t>(head, layout::kLaneEntryLength), nullptr,
                (flags & layout::kLaneEntryFlagDeep) != 0};
    if (!Inside(entry.offset, entry.length)) return false;
    if ((flags & layout::kLaneEntryFlagInline) != 0) {
      if (entry.length > length - at) return false;
      entry.data = message + at;
      at += std::min(RoundUp(entry.length, kEntryAlignment), length - at);
    }
    entries_.push_back(entry);
  }
  return at == length;
}

bool LaneServer::ParsePmdk(const uint8_t* message, size_t length) {
  if (length < layout::kPersistMessageBytes || length > capacity_) return false;
  uint64_t address = Get<uint64_t>(message, layout::kPersistMessageAddress);
  uint64_t size = Get<uint64_t>(message, layout::kPersistMessageSize);
  uint32_t mode = Get<uint32_t>(message, layout::kPersistMessageFlags) & layout::kPersistModeMask;
  if (Get<uint32_t>(message, layout::kPersistMessageLane) >= terms_.lanes) return false;
  if (address < terms_.raddr || !Inside(address - terms_.raddr, size)) return false;
  Entry entry{address - terms_.raddr, size, nullptr, mode == layout::kPersistModeDeep};
  if (mode == layout::kPersistModeInline) {
    if (size > terms_.inline_size || size != length - layout::kPersistMessageBytes) return false;
    entry.data = message + layout::kPersistMessageBytes;
  }
  entries_.push_back(entry);
  return true;
}

// 0, or the errno with which the storage refused.
int LaneServer::Carry() {
  uint64_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.length;
  terms_.counters->bytes.fetch_add(bytes, std::memory_order_relaxed);
  int rc = terms_.memory->method() == DurabilityMethod::kMsync ? CarryMsync() : CarryDax();
  return rc != 0 ? rc : Deepen();
}

int LaneServer::CarryDax() {
  Mapping& memory = *terms_.memory;
  for (const Entry& entry : entries_) {
    int rc = entry.data != nullptr ? memory.CopyIn(entry.offset, entry.data, entry.length, {.flush = true, .drain = false})
                                   : memory.Flush(entry.offset, entry.length);
    if (rc != 0) return rc;
  }
  return memory.Drain();
}

int LaneServer::CarryMsync() {
  for (const Entry& entry : entries_) {
    if (entry.length == 0) continue;
    unsynced_.emplace_back(entry.offset, entry.offset + entry.length);
    if (entry.data == nullptr) {
      if (terms_.dma) Touch(entry.offset, entry.length);
      continue;
    }
    int rc = terms_.memory->CopyIn(entry.offset, entry.data, entry.length, {.flush = false, .drain = false});
    if (rc != 0) return rc;
  }
  return quiet_ ? 0 : SyncPages();
}

// One msync for neighbouring pages, however many ranges lie in them.
int LaneServer::SyncPages() {
  std::vector<std::pair<uint64_t, uint64_t>>& ranges = unsynced_;
  std::sort(ranges.begin(), ranges.end());
  int rc = 0;
  for (size_t first = 0, next = 0; first < ranges.size() && rc == 0; first = next) {
    uint64_t end = ranges[first].second;
    for (next = first + 1; next < ranges.size() && ranges[next].first <= RoundUp(end, kPage); ++next) {
      end = std::max(end, ranges[next].second);
    }
    rc = terms_.memory->Persist(ranges[first].first, end - ranges[first].first);
  }
  ranges.clear();
  return rc;
}

// The adapter wrote to pages that an earlier msync has marked as clean, and msync writes only those that the processor
// wrote to. A byte is written back with its own value, while other lanes may write to it.
void LaneServer::Touch(uint64_t offset, uint64_t length) const {
  volatile uint8_t* memory = terms_.memory->base();
  for (uint64_t at = offset; at < offset + length; at = (at / kPage + 1) * kPage) {
    __atomic_fetch_or(memory + at, uint8_t{0}, __ATOMIC_RELAXED);
  }
}

int LaneServer::Deepen() {
  for (const Entry& entry : entries_) {
    if (!entry.deep) continue;
    if (int rc = terms_.memory->DeepPersist(entry.offset, entry.length); rc != 0) return rc;
  }
  return 0;
}

void LaneServer::PutAnswer(uint8_t* answer, int status) const {
  if (terms_.dialect == Dialect::kPmdk) {
    Put<uint32_t>(answer, layout::kPersistResponseFlags, 0);
    Put<uint32_t>(answer, layout::kPersistResponseLane, index_);
    return;
  }
  Put<uint16_t>(answer, layout::kLaneAnswerKind, layout::kLaneMessageKindAnswer);
  Put<uint16_t>(answer, layout::kLaneAnswerFlags, 0);
  Put<uint32_t>(answer, layout::kLaneAnswerStatus, static_cast<uint32_t>(
                status == 0 ? layout::kLaneAnswerStatusDone : layout::kLaneAnswerStatusStorage));
  Put<uint64_t>(answer, layout::kLaneAnswerSequence, sequence_);
  Put<uint32_t>(answer, layout::kLaneAnswerErrno, static_cast<uint32_t>(status));
  Put<uint32_t>(answer, layout::kLaneAnswerReserved, 0);
}

int LaneServer::Answer(uint32_t slot, int status) {
  // PMDK's answer has no room for an error: the connection ends instead, so that nothing counts as durable.
  if (terms_.dialect == Dialect::kPmdk && status != 0) return -FI_EIO;
  uint8_t* answer = answers_.data() + slot * kAnswerStride;
  PutAnswer(answer, status);
  iovec part{answer, AnswerBytes(terms_.dialect)};
  void* descriptor = answers_.descriptor();
  fi_msg message{};
  message.msg_iov = &part;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.context = &send_completion_;
  uint64_t flags = terms_.wants_send_completions ? FI_COMPLETION : 0;
  ssize_t rc = -FI_EAGAIN;
  for (int attempt = 0; rc == -FI_EAGAIN && attempt < kSendAttempts; ++attempt) {
    rc = fi_sendmsg(endpoint_.get(), &message, flags);
    if (rc == -FI_EAGAIN) sched_yield();
  }
  return static_cast<int>(rc);
}

}  // namespace rpmem
