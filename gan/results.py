"""What ``gan.train`` and ``gan.evaluate`` return: dictionaries that notebooks show in few words."""

from typing import Any


class Summary(dict[str, Any]):
    """What summary.json of a run holds."""

    def __repr__(self) -> str:
        told = [f"{self['status']} at step {self['step']:,}"]
        if "seconds" in self:  # not of older versions
            told[0] += f" after {self['seconds']:.0f} s"
        losses = {name: self.get(name) for name in ("loss/d", "loss/g")}
        told += [f"{name} {loss:.3f}" for name, loss in losses.items() if loss is not None]
        return f"Summary({', '.join(told)}; keys: {', '.join(self)})"


class Evaluation(dict[str, Any]):
    """An evaluation: metrics, and what real images get."""

    def __repr__(self) -> str:
        told = []
        for name, value in self["metrics"].items():
            floor = self["floors"].get(name)
            real = f" (real images: {floor['mean']:.4g})" if floor else ""
            told.append(f"{name} {value:.4g}{real}")
        return f"Evaluation({', '.join(told)}; keys: {', '.join(self)})"
