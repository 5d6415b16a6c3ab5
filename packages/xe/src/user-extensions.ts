/**
 * Chains of user extensions: how an ioctl of xe is given what its struct has no member for. Each element names the next,
 * and is copied in only when its turn comes (`gem_create_user_extensions` of `xe_bo.c` and its like, Linux 7.3-rc7).
 *
 * @module
 */

import { E2BIG, EINVAL, fail, type UserSpace } from "@vmbind/drm";
import { EXT_SET_PROPERTY, type ExtSetProperty, USER_EXTENSION } from "./uapi.ts";

/** `MAX_USER_EXTENSIONS` (`xe_bo.c`, `xe_exec_queue.c`): elements of a chain. */
const MAX_USER_EXTENSIONS = 16;
/** The one extension that there is: `DRM_XE_GEM_CREATE_EXTENSION_SET_PROPERTY` and its like. */
const SET_PROPERTY = 0;

/**
 * Walk a chain of extensions that set properties. What an element asks for is done before the next one is read.
 *
 * @param user - the caller's memory
 * @param first - user address of the first element, 0 for an empty chain
 * @param name - the member that holds it, for messages
 * @param set - sets one property; is given the element's place in the chain, for messages
 * @throws `DrmError` E2BIG behind 16 elements; EFAULT; EINVAL for an unknown extension or a pad that is not 0; what `set` throws
 */
export function eachProperty(
  user: UserSpace,
  first: number,
  name: string,
  set: (property: ExtSetProperty, place: string) => void,
): void {
  let address = first;
  for (let i = 0; address !== 0; i++) {
    const place = `${name}[${i}]`;
    if (i >= MAX_USER_EXTENSIONS)
      fail(E2BIG, `${place}: a chain has at most ${MAX_USER_EXTENSIONS} elements`);
    const head = USER_EXTENSION.read(user.view(address, USER_EXTENSION.size));
    if (head.pad !== 0) fail(EINVAL, `${place}.pad: must be 0`);
    if (head.name !== SET_PROPERTY) fail(EINVAL, `${place}.name: ${head.name} is no extension`);
    const property = EXT_SET_PROPERTY.read(user.view(address, EXT_SET_PROPERTY.size));
    set(property, place);
    address = head.nextExtension;
  }
}
