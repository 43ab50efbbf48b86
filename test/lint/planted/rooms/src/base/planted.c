/* an arrow that runs back up, for make lint to find */
#include "policy/planted.h"
