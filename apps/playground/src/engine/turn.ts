/** What a handler is given besides its request. */

/** What a request that is being answered can do besides answering. */
export interface Turn {
  /** Set once the request was given up. */
  readonly signal: AbortSignal;
  /** Tell how far it is. */
  progress(text: string): void;
  /**
   * Let messages in: to be awaited every some 50 ms of work.
   *
   * @throws an AbortError once the request was given up
   */
  pause(): Promise<void>;
}
