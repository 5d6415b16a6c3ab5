/* What sparse binding takes on this device, as one JSON object a line: what `vmbind compare --measured` reads. */
#ifndef MEASURE_H
#define MEASURE_H

void measure(void);

#endif
