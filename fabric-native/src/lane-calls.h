// The functions of the object that stands for the lanes in JavaScript: arguments in, a number out.
#pragma once

#include <napi.h>

#include <memory>

#include "lanes-face.h"

namespace rpmem {

// More negative results than OperationStatus has; fabric-binding.ts holds the same table.
constexpr int32_t kWrongArgument = -10;

void BindLaneCalls(Napi::Env env, Napi::Object object, const std::shared_ptr<LanesFace>& face);

}  // namespace rpmem
