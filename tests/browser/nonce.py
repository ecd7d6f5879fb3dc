"""The nonce of asgi.py for templates, where django-csp has it."""

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def with_nonce(get_response):
    def marked(request):
        request.csp_nonce = request.scope["nonce"]
        return get_response(request)

    async def amarked(request):
        request.csp_nonce = request.scope["nonce"]
        return await get_response(request)

    return amarked if iscoroutinefunction(get_response) else marked
