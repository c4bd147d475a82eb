// A libfabric of one endpoint's own, in the place of fabric-native/src/libfabric.cc: nothing is connected, what is sent is
// handed to a function, and what is received is put there by the test. One thread.
#pragma once

#include <rdma/fi_eq.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>

namespace rpmem::stand_in {

struct Receive {
  std::span<uint8_t> buffer;
  void* context;
};

// An RMA read that waits for its bytes.
struct Read {
  std::span<uint8_t> buffer;
  uint64_t address;
  void* context;
};

struct Wire {
  std::deque<Receive> receives;
  std::deque<Read> reads;
  std::function<void(std::span<const uint8_t>)> on_send;
  // An RMA write to this address; it is complete at once.
  std::function<void(uint64_t, std::span<const uint8_t>)> on_write;
  // Somebody asks for completions and there are none: puts some there, or is false where the queue is to be broken.
  std::function<bool()> on_starve;
  std::deque<fi_cq_msg_entry> completions;
  // FI_CONNECTED, FI_SHUTDOWN
  std::deque<uint32_t> events;
  bool shut_down = false;
  // What fi_endpoint made last.
  fid* endpoint = nullptr;

  // Puts a message into the oldest receive, cut to its length as a provider would; its completion.
  fi_cq_msg_entry Arrive(std::span<const uint8_t> message);
};

// Forgets everything of an earlier test.
Wire& Reset();
Wire& TheWire();

}  // namespace rpmem::stand_in
