// Reading the options of the rare calls. What is missing or of the wrong kind is a TypeError: TypeScript has checked it
// before, so it is a bug, but none that may end the process.
#pragma once

#include <napi.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "memory.h"
#include "provider.h"

namespace rpmem {

class Arguments {
 public:
  explicit Arguments(const Napi::Value& value) : object_(Require(value)) {}

  std::string Text(const char* name) const {
    Napi::Value value = object_.Get(name);
    if (!value.IsString()) throw Wrong(name);
    return value.As<Napi::String>();
  }

  uint64_t Number(const char* name, uint64_t least, uint64_t most) const {
    Napi::Value value = object_.Get(name);
    double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= 9007199254740991.0) || number != std::floor(number)) throw Wrong(name);
    auto whole = static_cast<uint64_t>(number);
    if (whole < least || whole > most) throw Wrong(name);
    return whole;
  }

  bool Flag(const char* name) const {
    Napi::Value value = object_.Get(name);
    if (!value.IsBoolean()) throw Wrong(name);
    return value.As<Napi::Boolean>();
  }

  uint64_t Word(const char* name) const {
    Napi::Value value = object_.Get(name);
    if (!value.IsBigInt()) throw Wrong(name);
    bool lossless = false;
    uint64_t word = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (!lossless) throw Wrong(name);
    return word;
  }

  std::vector<std::string> Tokens(const char* name, size_t count, size_t bytes) const {
    Napi::Value value = object_.Get(name);
    if (!value.IsArray() || value.As<Napi::Array>().Length() != count) throw Wrong(name);
    std::vector<std::string> tokens;
    for (uint32_t n = 0; n < count; ++n) {
      tokens.push_back(Token(value.As<Napi::Array>().Get(n), name));
      if (tokens.back().size() != bytes) throw Wrong(name);
    }
    return tokens;
  }

  std::shared_ptr<Mapping> Memory(const char* name) const {
    std::shared_ptr<Mapping> mapping = MappingOf(object_.Env(), object_.Get(name));
    if (mapping == nullptr) throw Wrong(name);
    return mapping;
  }

  Napi::Function Function(const char* name) const {
    Napi::Value value = object_.Get(name);
    if (!value.IsFunction()) throw Wrong(name);
    return value.As<Napi::Function>();
  }

  ProviderName Provider(const char* name) const {
    std::string text = Text(name);
    if (text == "verbs") return ProviderName::kVerbs;
    if (text == "tcp") return ProviderName::kTcp;
    if (text == "sockets") return ProviderName::kSockets;
    throw Wrong(name);
  }

 private:
  static Napi::Object Require(const Napi::Value& value) {
    if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), "options must be an object");
    return value.As<Napi::Object>();
  }

  std::string Token(const Napi::Value& value, const char* name) const {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) throw Wrong(name);
    auto bytes = value.As<Napi::Uint8Array>();
    return std::string(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
  }

  Napi::TypeError Wrong(const char* name) const {
    return Napi::TypeError::New(object_.Env(), std::string("option ") + name + " is missing or wrong");
  }

  Napi::Object object_;
};

}  // namespace rpmem
