// Written by scripts/generate-layouts.ts from the tables in wire/; do not edit.
#pragma once

#include <cstddef>

namespace rpmem::layout {

inline constexpr size_t kLaneMessageBytes = 32;
inline constexpr size_t kLaneMessageKind = 0;
inline constexpr size_t kLaneMessageFlags = 2;
inline constexpr size_t kLaneMessageEntries = 4;
inline constexpr size_t kLaneMessageSequence = 8;
inline constexpr size_t kLaneMessageLength = 16;
inline constexpr size_t kLaneMessageReserved = 24;

inline constexpr size_t kLaneEntryBytes = 24;
inline constexpr size_t kLaneEntryOffset = 0;
inline constexpr size_t kLaneEntryLength = 8;
inline constexpr size_t kLaneEntryFlags = 16;
inline constexpr size_t kLaneEntryReserved = 20;

inline constexpr size_t kLaneAnswerBytes = 24;
inline constexpr size_t kLaneAnswerKind = 0;
inline constexpr size_t kLaneAnswerFlags = 2;
inline constexpr size_t kLaneAnswerStatus = 4;
inline constexpr size_t kLaneAnswerSequence = 8;
inline constexpr size_t kLaneAnswerErrno = 16;
inline constexpr size_t kLaneAnswerReserved = 20;

inline constexpr size_t kPersistMessageBytes = 24;
inline constexpr size_t kPersistMessageFlags = 0;
inline constexpr size_t kPersistMessageLane = 4;
inline constexpr size_t kPersistMessageAddress = 8;
inline constexpr size_t kPersistMessageSize = 16;

inline constexpr size_t kPersistResponseBytes = 8;
inline constexpr size_t kPersistResponseFlags = 0;
inline constexpr size_t kPersistResponseLane = 4;

inline constexpr size_t kLaneMessageKindPersist = 1;
inline constexpr size_t kLaneMessageKindAnswer = 2;

inline constexpr size_t kLaneMessageFlagQuiet = 1;
inline constexpr size_t kLaneMessageFlagPatient = 2;

inline constexpr size_t kLaneEntryFlagInline = 1;
inline constexpr size_t kLaneEntryFlagDeep = 2;

inline constexpr size_t kLaneAnswerStatusDone = 0;
inline constexpr size_t kLaneAnswerStatusStorage = 1;

inline constexpr size_t kPersistModeFlush = 0;
inline constexpr size_t kPersistModeDeep = 1;
inline constexpr size_t kPersistModeInline = 2;
inline constexpr size_t kPersistModeMask = 3;

}  // namespace rpmem::layout
