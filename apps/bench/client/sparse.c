/*
 * sparse: a Vulkan program without a window that does nothing but bind sparse memory. It made the recordings that ship
 * with vmbind, and runs on a model as on a GPU:
 *
 *   cd apps/bench/client && cc -O2 -o sparse *.c -ldl
 *   vmbind live --device xe:bmg --trace mine.jsonl -- ./sparse bind-one
 *
 * With --measure it prints what binding takes on this device, for `vmbind compare --measured`.
 *
 * sparse [-v] [--seed N] [--icd LIBRARY] WORKLOAD | --measure
 */
#include "gpu.h"
#include "measure.h"
#include "random.h"
#include "workloads.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct workload *const tables[] = { buffer_workloads, image_workloads };
enum { TABLES = sizeof tables / sizeof *tables };

static const struct workload *find(const char *name)
{
	for (int t = 0; t < TABLES; t++)
		for (const struct workload *w = tables[t]; w->name; w++)
			if (strcmp(w->name, name) == 0) return w;
	return NULL;
}

static int usage(FILE *to, int status)
{
	fputs("usage: sparse [-v] [--seed N] [--icd LIBRARY] WORKLOAD | --measure\n\n"
	      "  -v             say each step on standard error\n"
	      "  --seed N       of the random choices; 1 unless given\n"
	      "  --icd LIBRARY  open this Vulkan driver itself, without the system's loader\n"
	      "  --measure      print what binding takes on this device, as JSON lines\n\n",
	      to);
	for (int t = 0; t < TABLES; t++)
		for (const struct workload *w = tables[t]; w->name; w++) fprintf(to, "  %-17s%s\n", w->name, w->about);
	return status;
}

int main(int argc, char **argv)
{
	const char *name = NULL, *icd = NULL;
	uint32_t seed = 1;
	int measuring = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) return usage(stdout, 0);
		if (strcmp(argv[i], "-v") == 0) mark_aloud = 1;
		else if (strcmp(argv[i], "--measure") == 0) measuring = 1;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) seed = (uint32_t)strtoul(argv[++i], NULL, 0);
		else if (strcmp(argv[i], "--icd") == 0 && i + 1 < argc) icd = argv[++i];
		else if (argv[i][0] == '-' || name) return usage(stderr, 2);
		else name = argv[i];
	}
	if (measuring && !name) {
		random_seed(seed);
		gpu_open(icd);
		measure();
		gpu_close();
		return 0;
	}
	const struct workload *workload = name ? find(name) : NULL;
	if (!workload || measuring) {
		if (name && !workload) fprintf(stderr, "sparse: there is no workload %s\n", name);
		return usage(stderr, 2);
	}
	random_seed(seed);
	gpu_open(icd);
	printf("device: %s\n", gpu.properties.deviceName);
	mark("workload %s seed=%u", name, seed);
	workload->run();
	mark("workload-end");
	gpu_close();
	printf("%s: %u calls of vkQueueBindSparse\n", name, gpu.bind_calls);
	return 0;
}
