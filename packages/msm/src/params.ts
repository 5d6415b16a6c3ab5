/**
 * GET_PARAM and SET_PARAM (`adreno_gpu.c`, Linux 7.3-rc7). Most of it are facts of the GPU; what matters for memory is when
 * the VM comes into being: with the first query, whatever it asks, and then it is too late to ask for VM_BIND.
 *
 * @module
 */

import { DrmError, EBUSY, EINVAL, EPERM, fail, type UserSpace } from "@vmbind/drm";
import type { MsmFile } from "./file.ts";
import { prioritiesOf } from "./submit-queue.ts";
import * as uapi from "./uapi.ts";

const { PARAM } = uapi;
/** Longest name or command line. */
const STRING_MAX = 4096;

function checkParam(ioctl: string, { pipe, pad }: uapi.Param): void {
  if (pipe !== uapi.PIPE_3D0) fail(EINVAL, `${ioctl}.pipe: 0x${pipe.toString(16)} is not PIPE_3D0`);
  if (pad !== 0) fail(EINVAL, `${ioctl}.pad: ${pad} is not 0`);
}

/**
 * GET_PARAM.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOMEM
 */
export function getParam(file: MsmFile, arg: uapi.Param): Partial<uapi.Param> {
  checkParam("get_param", arg);
  file.needVm();
  if (arg.len !== 0) fail(EINVAL, `get_param.len: ${arg.len} is not 0`);
  return { value: parameterOf(file, arg.param) };
}

function parameterOf(file: MsmFile, param: number): number {
  const { options } = file.device;
  const { params } = options;
  switch (param) {
    case PARAM.gpuId:
      return params.gpuId;
    case PARAM.gmemSize:
      return params.gmemSize;
    case PARAM.chipId:
      return params.chipId;
    case PARAM.maxFreq:
      return params.maxFreq;
    case PARAM.timestamp:
      return params.timestamp ?? fail(EINVAL, "get_param.param: PARAM_TIMESTAMP, and the device tells none");
    case PARAM.gmemBase:
      return params.gmemBase;
    case PARAM.priorities:
      return prioritiesOf(options.rings);
    case PARAM.ppPgtable:
    case PARAM.faults:
    case PARAM.suspends:
      return 0;
    case PARAM.vaStart:
      needPrivateVm(file, "PARAM_VA_START");
      return uapi.VA_START;
    case PARAM.vaSize:
      needPrivateVm(file, "PARAM_VA_SIZE");
      return 2 ** options.vaBits - uapi.VA_START;
    case PARAM.highestBankBit:
      return params.highestBankBit;
    case PARAM.raytracing:
      return params.raytracing;
    case PARAM.ubwcSwizzle:
      return params.ubwcSwizzle;
    case PARAM.macrotileMode:
      return params.macrotileMode;
    case PARAM.ucheTrapBase:
      return params.ucheTrapBase;
    case PARAM.hasPrr:
      return options.prr ? 1 : 0;
    case PARAM.aqe:
      return params.aqe;
    default:
      return fail(EINVAL, `get_param.param: 0x${param.toString(16)} is unknown, or to be set only`);
  }
}

function needPrivateVm(file: MsmFile, param: string): void {
  if (!file.device.options.privateVm)
    fail(EINVAL, `get_param.param: ${param}, and contexts have no page tables of their own`);
}

/**
 * SET_PARAM. A value is read as bytes, since any of its 64 bits makes EN_VM_BIND true.
 *
 * @param file - the open file
 * @param view - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EBUSY, EPERM, EFAULT
 */
export function setParam(file: MsmFile, view: DataView, user: UserSpace): void {
  const arg = uapi.PARAM_ARG.read(view);
  const { param, len, value } = arg;
  checkParam("set_param", arg);
  const isString = param === PARAM.comm || param === PARAM.cmdline;
  if (len > (isString ? STRING_MAX : 0))
    fail(EINVAL, `set_param.len: ${len} is above ${isString ? STRING_MAX : 0}`);
  switch (param) {
    case PARAM.comm:
      file.comm = stringOf(user, value, len);
      return;
    case PARAM.cmdline:
      file.cmdline = stringOf(user, value, len);
      return;
    case PARAM.sysprof:
      throw new DrmError(EPERM, "set_param.param: PARAM_SYSPROF is for CAP_SYS_ADMIN");
    case PARAM.enVmBind: {
      if (!file.device.options.privateVm)
        fail(EINVAL, "set_param.param: PARAM_EN_VM_BIND, and contexts have no page tables of their own");
      if (file.hasVm)
        fail(EBUSY, "set_param.param: PARAM_EN_VM_BIND, and the VM was made already, by a query or a queue");
      const at = uapi.PARAM_ARG.fields.value.offset;
      file.wantsVmBind = (view.getUint32(at, true) | view.getUint32(at + 4, true)) !== 0;
      return;
    }
    default:
      fail(EINVAL, `set_param.param: 0x${param.toString(16)} is unknown, or to be asked for only`);
  }
}

/** A string of the caller's, up to its first zero. */
function stringOf(user: UserSpace, pointer: number, length: number): string {
  const view = user.view(pointer, length);
  let text = "";
  for (let i = 0; i < length && view.getUint8(i) !== 0; i++) text += String.fromCharCode(view.getUint8(i));
  return text;
}
