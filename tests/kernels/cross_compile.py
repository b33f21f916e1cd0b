"""Compile every kernel for GPUs that are not here, and print their shared memory in bytes as JSON.

A script of its own: it needs a Triton that was imported without its interpreter.
"""

import json

from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from course_utils.kernels import guided, noising, norm

GPUS = (75, 80, 90)  # T4; A100; H100 and H200
TILE = {"SP": 64, "GP": 8, "CP": 4}


def cases():
    """(name, kernel, its constants, format of the pictures, GPUs)."""
    for measure, apply in [(True, True), (True, False), (False, True)]:
        flags = {"MODULATED": True, "MEASURE": measure, "APPLY": apply}
        yield f"norm forward {measure}{apply}", norm._forward, flags | TILE | {"PP": 16}, "fp16", GPUS
        yield f"norm backward {measure}{apply}", norm._backward, flags | TILE, "fp16", GPUS
    # The largest tile, in both layouts
    for tile in ({"SP": 8192, "GP": 1, "CP": 1}, {"SP": 256, "GP": 8, "CP": 4}):
        flags = {"MODULATED": True, "MEASURE": True, "APPLY": True} | tile
        yield f"norm forward {tile}", norm._forward, flags | {"PP": 1}, "fp32", GPUS[:1]
        yield f"norm backward {tile}", norm._backward, flags, "bf16", GPUS[1:]
    for form, gpus in (("fp32", GPUS), ("fp16", GPUS[:1]), ("bf16", GPUS[1:])):
        yield "q_sample", noising._mix_kernel, {"BLOCK": noising.BLOCK}, form, gpus
        for gradient in (False, True):
            yield f"error {gradient}", noising._error_kernel, {"BLOCK": noising.BLOCK, "GRADIENT": gradient}, form, gpus
        for name, block in (("static", guided.BLOCK), ("dynamic", guided.LARGEST)):
            flags = {"PREDICTS": guided.NAMES.index("v"), "GUIDED": True, "BLOCK": block}
            flags |= {"STATIC": name == "static", "DYNAMIC": name == "dynamic"}
            yield f"guided, {name}", guided._kernel, flags, form, gpus


def kind(name: str, form: str) -> str:
    """Triton's type of an argument, by its name."""
    if not name.endswith("_ptr"):
        return "fp32" if name in ("eps", "scale", "rest") else "i32"
    if name == "seed_ptr":
        return "*i64"
    pictures = ("x_ptr", "y_ptr", "dy_ptr", "dx_ptr", "x0_ptr", "xt_ptr", "output_ptr", "without_ptr", "next_ptr",
                "grad_ptr", "scale_ptr", "shift_ptr")
    return f"*{form}" if name in pictures else "*fp32"


def main() -> None:
    found = {}
    for name, kernel, constants, form, gpus in cases():
        arguments = [part for part in kernel.arg_names if part not in constants]
        signature = {part: kind(part, form) for part in arguments} | dict.fromkeys(constants, "constexpr")
        places = {(kernel.arg_names.index(part),): value for part, value in constants.items()}
        elements = max(value for part, value in constants.items() if part == "BLOCK") if "BLOCK" in constants else (
            constants["SP"] * constants["GP"] * constants["CP"])
        for gpu in gpus:
            done = compile(ASTSource(kernel, signature, places), target=GPUTarget("cuda", gpu, 32),
                           options={"num_warps": norm.warps(elements)})
            found[f"{name}, {form}, sm_{gpu}"] = {"shared": done.metadata.shared, "cubin": len(done.asm["cubin"])}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
