"""The pages: signing in, one's own account, and what lies behind them. Made on the server; no script runs in them.

``access`` decides who may see a page, ``forms`` whether what was sent came from one of them, ``cookies`` what a browser
keeps; ``oidc`` speaks with the OpenID provider.
"""
