// A union of layers, read entry by entry by one client (../wire.ts §4).
#pragma once
#include "wire.h"

_Noreturn void serve_union(const struct request *request, int reply);
