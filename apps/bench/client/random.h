/* The one stream of chance that a run draws from: xorshift32, so that a seed always gives the same calls. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

void random_seed(uint32_t seed);
/* Below `n`. */
uint32_t random_below(uint32_t n);

#endif
