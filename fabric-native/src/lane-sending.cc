// What a lane sends, and when: ranges become messages, RMA writes and reads.
#include <algorithm>
#include <cerrno>

#include "lane-engine.h"
#include "lane.h"

namespace rpmem {
namespace {

// A relaxed range from this size on is placed by RMA: the copy that it saves outweighs the second operation.
constexpr size_t kPlaceFrom = 16 * 1024;
// From this size on a message takes its last range straight from the pool instead of copying it first.
constexpr size_t kGatherFrom = 1024;
// What is placed with one answer: often enough that a target which is alive shows it.
constexpr uint64_t kPlaceBytes = 8 << 20;
// Messages under way before smaller ones are held back to travel together (group commit).
constexpr uint32_t kEagerMessages = 2;
// Of the messages that carry one large range only every so manieth asks for an answer. Less than the window, so that there
// is always an answer to wait for.
constexpr uint32_t kQuietRun = 3;

// From so many operations on a message is a batch, if all of them will be told through promises.
constexpr size_t kBatchOperations = 4;

bool IsBatch(const std::vector<Operation*>& operations) {
  return operations.size() >= kBatchOperations && std::all_of(operations.begin(), operations.end(), [](const Operation* o) {
           return o->watch.load(std::memory_order_relaxed) == Operation::kWatched;
         });
}

}  // namespace

// A message that is being written.
struct Lane::Draft {
  Item& item;
  uint8_t* buffer;
  size_t used;
  uint32_t entries = 0;
  bool full = false;
  const uint8_t* tail = nullptr;
  size_t tail_length = 0;
};

int Lane::Pump() {
  int rc = kSent;
  while (rc == kSent && !queue_.empty()) rc = item_count_ < kMaxItems ? PumpFront() : static_cast<int>(kBlocked);
  return std::min(rc, 0);
}

int Lane::PumpFront() {
  Operation& front = *queue_.front();
  if (front.sent()) return PumpNothing(front);
  if (front.kind == OperationKind::kRead) return PumpRead(front);
  return CarriageOf(front.rest()) == Carriage::kFenced ? PumpFenced(front) : PumpMessage(front);
}

Lane::Carriage Lane::CarriageOf(const Range& range) const {
  bool apm = terms_.method == PersistMethod::kApm;
  // A message carries a copy. Only PMDK's deep message has no room for it.
  if (!terms_.registered) return terms_.dialect == Dialect::kPmdk && range.deep ? Carriage::kPlaced : Carriage::kInline;
  if (terms_.dialect == Dialect::kRpmem) {
    if (!range.relaxed || range.length < kPlaceFrom) return Carriage::kInline;
    return apm && !range.deep ? Carriage::kFenced : Carriage::kPlaced;
  }
  if (range.deep) return Carriage::kPlaced;
  if (terms_.provider == ProviderName::kVerbs) {
    if (!range.relaxed) return Carriage::kInline;
  } else if (apm && range.flushed && !range.relaxed) {
    return Carriage::kInline;
  }
  return apm ? Carriage::kFenced : Carriage::kPlaced;
}

Lane::Item& Lane::NewItem(Item::Kind kind) {
  Item& item = this->item(item_count_++);
  item.kind = kind;
  item.answered = false;
  item.inline_data = false;
  item.quiet = false;
  item.status = kDone;
  item.operations.clear();
  return item;
}

void Lane::Advance(Operation& operation, uint64_t length) {
  unsent_bytes_ -= length;
  operation.Advance(length);
  if (operation.range_done == 0) unsent_bytes_ -= layout::kLaneEntryBytes;
}

void Lane::PopIfSent(Operation& operation) {
  if (operation.sent() && !OwesRead(operation)) queue_.pop_front();
}

// With APM a drain of PMDK's ends with a read, whatever was sent before it.
bool Lane::OwesRead(const Operation& operation) const {
  return terms_.dialect == Dialect::kPmdk && terms_.method == PersistMethod::kApm &&
         operation.kind == OperationKind::kDrain && !operation.fenced;
}

// A drain with nothing left to send is done when everything before it is.
int Lane::PumpNothing(Operation& operation) {
  if (OwesRead(operation)) return PumpFenced(operation);
  queue_.pop_front();
  if (item_count_ == 0) {
    Finish(operation);
  } else {
    item(item_count_ - 1).operations.push_back(&operation);
    ++operation.unanswered;
  }
  return kSent;
}

int Lane::PumpMessage(Operation& front) {
  if (messages_under_way_ >= window_) return kBlocked;
  if (answers_due_ >= kEagerMessages && unsent_bytes_ < capacity_) return kBlocked;
  if (inline_under_way_ > 0 && CarriageOf(front.rest()) == Carriage::kPlaced) return kBlocked;
  Item& item = NewItem(Item::kMessage);
  item.sequence = ++sequence_;
  Draft draft{item, messages_.data() + (item.sequence % window_) * capacity_, MessageOverhead(terms_.dialect)};
  if (terms_.dialect == Dialect::kRpmem) draft.used -= layout::kLaneEntryBytes;
  int rc = FillDraft(draft);
  if (rc < 0) return rc;
  ++messages_under_way_;
  if (item.inline_data) ++inline_under_way_;
  item.quiet = item.inline_data && MayBeQuiet();
  quiet_run_ = item.quiet ? quiet_run_ + 1 : 0;
  if (!item.quiet) ++answers_due_;
  return SendDraft(draft);
}

// The rest of the range follows at once, by the same way.
bool Lane::MayBeQuiet() const {
  if (terms_.dialect == Dialect::kPmdk || quiet_run_ >= kQuietRun || queue_.empty()) return false;
  const Operation& front = *queue_.front();
  return !front.sent() && front.range_done > 0 && CarriageOf(front.rest()) == Carriage::kInline;
}

int Lane::FillDraft(Draft& draft) {
  while (!queue_.empty() && !draft.full) {
    Operation& operation = *queue_.front();
    if (operation.kind == OperationKind::kRead || operation.sent()) break;
    if (int rc = AddRange(draft, operation); rc != kSent) return rc;
    PopIfSent(operation);
  }
  return kSent;
}

int Lane::AddRange(Draft& draft, Operation& operation) {
  Range rest = operation.rest();
  switch (CarriageOf(rest)) {
    case Carriage::kInline:
      return AddInline(draft, operation, rest);
    case Carriage::kPlaced:
      return AddPlaced(draft, operation, rest);
    default:
      return kBlocked;
  }
}

int Lane::AddInline(Draft& draft, Operation& operation, const Range& rest) {
  size_t room = capacity_ - draft.used - (terms_.dialect == Dialect::kRpmem ? layout::kLaneEntryBytes : 0);
  if (capacity_ < draft.used + layout::kLaneEntryBytes) room = 0;
  if (draft.entries > 0 && room < rest.length) return kBlocked;
  Range piece = rest;
  if (piece.length > terms_.inline_size) {
    // Whole words stay in one message: the target copies each in one store.
    uint64_t end = (piece.offset + terms_.inline_size) / kEntryAlignment * kEntryAlignment;
    piece.length = end - piece.offset;
  }
  AddEntry(draft, operation, piece, true);
  const uint8_t* data = terms_.memory + piece.offset;
  if (piece.length >= kGatherFrom && terms_.registered) {
    draft.tail = data;
    draft.tail_length = piece.length;
    draft.full = true;
  } else {
    std::memcpy(draft.buffer + draft.used, data, piece.length);
    draft.used += RoundUp(piece.length, terms_.dialect == Dialect::kRpmem ? kEntryAlignment : 1);
    draft.full |= draft.used + layout::kLaneEntryBytes > capacity_;
  }
  return kSent;
}

int Lane::AddPlaced(Draft& draft, Operation& operation, const Range& rest) {
  if (inline_under_way_ > 0 || draft.item.inline_data) return kBlocked;
  if (draft.used + layout::kLaneEntryBytes > capacity_) return kBlocked;
  Range piece = rest;
  piece.length = std::min<uint64_t>({rest.length, terms_.max_message_size, kPlaceBytes});
  Source source = InPool(piece.offset);
  if (!terms_.registered) {
    piece.length = std::min<uint64_t>(piece.length, terms_.inline_size);
    uint8_t* copy = draft.buffer + MessageOverhead(terms_.dialect);
    std::memcpy(copy, terms_.memory + piece.offset, piece.length);
    source = {copy, messages_.descriptor()};
  }
  if (int rc = PostWrite(piece.offset, piece.length, source); rc != 0) return rc;
  AddEntry(draft, operation, piece, false);
  draft.full |= piece.length == kPlaceBytes;
  return kSent;
}

void Lane::AddEntry(Draft& draft, Operation& operation, const Range& range, bool inline_data) {
  std::vector<Operation*>& operations = draft.item.operations;
  if (operations.empty() || operations.back() != &operation) {
    operations.push_back(&operation);
    ++operation.unanswered;
  }
  draft.item.inline_data |= inline_data;
  ++draft.entries;
  if (terms_.dialect == Dialect::kPmdk) {
    size_t mode = inline_data  ? layout::kPersistModeInline
                  : range.deep ? layout::kPersistModeDeep
                               : layout::kPersistModeFlush;
    Put<uint32_t>(draft.buffer, layout::kPersistMessageFlags, static_cast<uint32_t>(mode));
    Put<uint32_t>(draft.buffer, layout::kPersistMessageLane, index_);
    Put<uint64_t>(draft.buffer, layout::kPersistMessageAddress, terms_.raddr + range.offset);
    Put<uint64_t>(draft.buffer, layout::kPersistMessageSize, range.length);
    draft.full = true;
  } else {
    uint8_t* entry = draft.buffer + draft.used;
    size_t flags = (inline_data ? layout::kLaneEntryFlagInline : 0) | (range.deep ? layout::kLaneEntryFlagDeep : 0);
    Put<uint64_t>(entry, layout::kLaneEntryOffset, range.offset);
    Put<uint64_t>(entry, layout::kLaneEntryLength, range.length);
    Put<uint32_t>(entry, layout::kLaneEntryFlags, static_cast<uint32_t>(flags));
    Put<uint32_t>(entry, layout::kLaneEntryReserved, 0);
    draft.used += layout::kLaneEntryBytes;
  }
  Advance(operation, range.length);
}

int Lane::SendDraft(const Draft& draft) {
  // Where the local memory failed (SIGBUS), what was copied from it must not pass for its content.
  if (terms_.mapping->failure() != 0) return -EFAULT;
  if (terms_.dialect == Dialect::kRpmem) {
    Put<uint16_t>(draft.buffer, layout::kLaneMessageKind, layout::kLaneMessageKindPersist);
    bool patient = IsBatch(draft.item.operations);
    engine_.NoteMessage(patient);
    size_t flags = (draft.item.quiet ? layout::kLaneMessageFlagQuiet : 0) | (patient ? layout::kLaneMessageFlagPatient : 0);
    Put<uint16_t>(draft.buffer, layout::kLaneMessageFlags, static_cast<uint16_t>(flags));
    Put<uint32_t>(draft.buffer, layout::kLaneMessageEntries, draft.entries);
    Put<uint64_t>(draft.buffer, layout::kLaneMessageSequence, draft.item.sequence);
    Put<uint64_t>(draft.buffer, layout::kLaneMessageLength, draft.used + draft.tail_length);
    Put<uint64_t>(draft.buffer, layout::kLaneMessageReserved, 0);
  }
  iovec parts[2] = {{draft.buffer, draft.used}, {const_cast<uint8_t*>(draft.tail), draft.tail_length}};
  void* descriptors[2] = {messages_.descriptor(), terms_.memory_descriptor};
  fi_msg message{};
  message.msg_iov = parts;
  message.desc = descriptors;
  message.iov_count = draft.tail_length > 0 ? 2 : 1;
  message.context = &send_completion_;
  unsignalled_writes_ = 0;
  uint64_t flags = terms_.wants_send_completions ? FI_COMPLETION : 0;
  return Persevere([&] { return fi_sendmsg(endpoint_.get(), &message, flags); });
}

int Lane::PumpFenced(Operation& operation) {
  if (inline_under_way_ > 0 || reads_under_way_ > 0) return kBlocked;
  uint64_t placed = 0;
  while (placed < kPlaceBytes && !operation.sent() && CarriageOf(operation.rest()) == Carriage::kFenced) {
    Range rest = operation.rest();
    uint64_t length = std::min<uint64_t>({rest.length, terms_.max_message_size, kPlaceBytes - placed});
    if (int rc = PostWrite(rest.offset, length, InPool(rest.offset)); rc != 0) return rc;
    Advance(operation, length);
    placed += length;
  }
  Item& item = NewItem(Item::kFence);
  item.operations.push_back(&operation);
  ++operation.unanswered;
  operation.fenced = operation.sent();
  PopIfSent(operation);
  return PostRead(0, 8, bounce_.data(), (first_item_ + item_count_ - 1) % kMaxItems);
}

int Lane::PumpRead(Operation& operation) {
  if (inline_under_way_ > 0 || reads_under_way_ > 0) return kBlocked;
  Item& item = NewItem(Item::kRead);
  item.operations.push_back(&operation);
  ++operation.unanswered;
  Range rest = operation.rest();
  item.sequence = operation.range_done;
  item.length = std::min<uint64_t>({rest.length, kBounceBytes, terms_.max_message_size});
  Advance(operation, item.length);
  PopIfSent(operation);
  return PostRead(rest.offset, item.length, bounce_.data(), (first_item_ + item_count_ - 1) % kMaxItems);
}

template <typename Post>
int Lane::Persevere(Post post) {
  for (;;) {
    ssize_t rc = post();
    if (rc != -FI_EAGAIN) return static_cast<int>(rc);
    if (int failure = engine_.MakeRoom(); failure != 0) return failure;
  }
}

int Lane::PostAnswer(uint32_t slot) {
  iovec part{answers_.data() + slot * kAnswerStride, kAnswerStride};
  void* descriptor = answers_.descriptor();
  fi_msg message{};
  message.msg_iov = &part;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.context = &answer_completions_[slot];
  return Persevere([&] { return fi_recvmsg(endpoint_.get(), &message, FI_COMPLETION); });
}

int Lane::PostWrite(uint64_t offset, uint64_t length, Source source) {
  iovec part{const_cast<uint8_t*>(source.data), length};
  fi_rma_iov target{terms_.raddr + offset, length, terms_.rkey};
  void* descriptor = source.descriptor;
  fi_msg_rma message{};
  message.msg_iov = &part;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.rma_iov = &target;
  message.rma_iov_count = 1;
  message.context = &write_completion_;
  // Entries of the transmit queue come back when a completion behind them was read.
  bool signal = ++unsignalled_writes_ >= terms_.transmit_size / 2;
  if (signal) unsignalled_writes_ = 0;
  return Persevere([&] { return fi_writemsg(endpoint_.get(), &message, signal ? FI_COMPLETION : 0); });
}

int Lane::PostRead(uint64_t offset, uint64_t length, uint8_t* into, uint32_t slot) {
  ++reads_under_way_;
  iovec part{into, length};
  fi_rma_iov target{terms_.raddr + offset, length, terms_.rkey};
  void* descriptor = bounce_.descriptor();
  fi_msg_rma message{};
  message.msg_iov = &part;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.rma_iov = &target;
  message.rma_iov_count = 1;
  message.context = &read_completions_[slot];
  unsignalled_writes_ = 0;
  return Persevere([&] { return fi_readmsg(endpoint_.get(), &message, FI_COMPLETION); });
}

}  // namespace rpmem
