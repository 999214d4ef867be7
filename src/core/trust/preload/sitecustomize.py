"""Lets aiohttp heed the proxy's variables, as all other clients do by themselves.

Found by PYTHONPATH before the system's own module of this name, which is then run as well. Whatever goes wrong here,
the program runs as if this were not there.
"""


def _own():
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))

    class Finder:
        """Waits for aiohttp, and is gone then."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != "aiohttp.client":
                return None
            sys.meta_path.remove(Finder)
            # The others are asked as if this one were not there.
            from importlib.util import find_spec

            spec = find_spec(name)
            if spec is None:
                return None
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                try:
                    _heed(module.ClientSession)
                except Exception:
                    pass

            spec.loader.exec_module = exec_module
            return spec

    if os.environ.get("HTTPS_PROXY"):
        sys.meta_path.insert(0, Finder)
    return here


def _heed(session):
    import functools

    init = session.__init__

    @functools.wraps(init)
    def heeding(self, *args, **kwargs):
        kwargs.setdefault("trust_env", True)
        init(self, *args, **kwargs)

    session.__init__ = heeding


def _others(here):
    """Runs the module that would have been found without this one."""
    import os
    import sys
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    places = [p for p in sys.path if os.path.abspath(p or ".") != here]
    spec = PathFinder.find_spec("sitecustomize", places)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    import sys as _sys

    _here = _own() if _sys.version_info >= (3, 6) else None
except Exception:
    _here = None
if _here is not None:
    # What goes wrong in there is reported as ever.
    _others(_here)
