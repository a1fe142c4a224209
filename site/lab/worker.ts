// A network in a worker of its own: the page calls it through Comlink.
import { expose } from "comlink";
import { Side } from "./side.js";

expose(Side);
