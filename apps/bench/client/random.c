/* See random.h. */
#include "random.h"

static uint32_t state;

void random_seed(uint32_t seed)
{
	state = seed * 2654435761u + 0x9e3779b9u;
	/* Zero would only ever be followed by zero. */
	if (state == 0) state = 1;
}

uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}
