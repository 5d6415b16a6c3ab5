/* What can be run: names, what happens, and the function that does it. */
#ifndef WORKLOADS_H
#define WORKLOADS_H

struct workload {
	const char *name, *about;
	void (*run)(void);
};

extern const struct workload buffer_workloads[], image_workloads[]; /* each ends with a row without a name */

#endif
