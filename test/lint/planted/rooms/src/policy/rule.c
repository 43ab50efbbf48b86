#include "base/planted_base.h"
#include "policy/planted.h"
