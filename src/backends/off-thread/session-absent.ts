// Stands in for session.ts in builds for browsers and edge workers, whose backends run no kernel on another thread.

export class Session {
  constructor() {
    throw new Error("this build, for browsers and edge workers, runs no kernel on another thread");
  }
}
