// Stands in for session.ts in the build for edge workers, whose backends run no kernel on another thread.

export class Session {
  constructor() {
    throw new Error("this build, for edge workers, runs no kernel on another thread");
  }
}
